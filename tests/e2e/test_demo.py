"""The main job as a user runs it: demo, a worker killed in its middle, demo again, ingest, export, down."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from infra.embedded.stack import Stack
from schemas.topics import topics

ROOT = Path(__file__).parents[2]
EVENTS, RECORDS = 8_974, 5_000


class CommandLine:
    """`retail-brain` in a house of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        stripped = {name: value for name, value in os.environ.items() if not name.startswith("RB_")}
        self.environment = {**stripped, "RB_HOME": str(home)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            (sys.executable, "-m", "cli", *arguments),
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return out

    def pid(self, name: str) -> int:
        return int(json.loads((self.home / "processes.json").read_text())[name]["pid"])

    def committed(self) -> int:
        """Events committed so far; 0 while the store is not there yet."""
        try:
            addresses = Stack(self.home).addresses()
            if addresses is None:
                return 0
            with psycopg.connect(addresses.postgres_dsn) as connection:
                row = connection.execute("SELECT count(*) FROM event_index").fetchone()
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return 0
        return int(row[0]) if row else 0


@pytest.fixture(scope="module")
def retail_brain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    line = CommandLine(tmp_path_factory.mktemp("demo"))
    yield line
    line.run("down")
    home = str(line.home)
    left = [
        p.name() for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get("RB_HOME") == home
    ]
    assert left == [], "`down` left processes behind"


@pytest.fixture(scope="module")
def first(retail_brain: CommandLine) -> dict[str, Any]:
    """The first demo, in whose middle the resolve stage is killed."""
    demo = retail_brain.start("demo", "--no-story", "--json")
    while retail_brain.committed() < 1_000 and demo.poll() is None:
        time.sleep(0.05)
    victim = retail_brain.pid("resolve")
    os.kill(victim, signal.SIGKILL)
    assert retail_brain.committed() < EVENTS, "it was killed too late to prove anything"
    out, err = demo.communicate(timeout=300)
    assert demo.returncode == 0, err
    assert retail_brain.pid("resolve") != victim
    return dict(json.loads(out))


def test_every_event_is_stored_once_though_a_worker_was_killed(first: dict[str, Any]) -> None:
    assert (first["events"], first["new"], first["refused"], first["dead_lettered"]) == (EVENTS, EVENTS, 0, 0)
    assert first["outcome"]["stored"] == first["outcome"]["linked"] == EVENTS
    assert sum(first["outcome"]["decisions"].values()) == EVENTS


def test_customers_are_told_apart(first: dict[str, Any]) -> None:
    assert first["accuracy"]["records"] == RECORDS
    assert first["accuracy"]["pairwise_f1"] > 0.97
    assert first["accuracy"]["b_cubed_f1"] > 0.98


def test_the_demo_again_changes_nothing_and_tells_a_story(
    retail_brain: CommandLine, first: dict[str, Any]
) -> None:
    again = json.loads(retail_brain.run("demo", "--json"))
    assert (again["new"], again["outcome"]) == (0, first["outcome"])
    story = again["story"]
    before, after = story["before"], story["after"]
    assert [p["profile_id"] for p in after] == [p["profile_id"] for p in before]
    assert {r["record"] for r in before[1]["records"]} <= {r["record"] for r in after[1]["records"]}
    assert {r["record"] for p in after for r in p["records"]} == {
        r["record"] for r in story["merged"]["records"]
    }
    told_again = json.loads(retail_brain.run("demo", "--json"))
    assert told_again["story"] == story
    assert told_again["outcome"]["merges_undone"] == 1


@pytest.mark.usefixtures("first")
def test_a_client_nobody_here_wrote_reads_every_output_topic(retail_brain: CommandLine) -> None:
    addresses = Stack(retail_brain.home).last_addresses()
    producer = Producer({"bootstrap.servers": addresses.kafka_bootstrap})
    producer.produce("events.raw", b"neither Avro nor JSON")
    assert producer.flush(20) == 0
    deserialize = AvroDeserializer(
        SchemaRegistryClient({"url": f"http://127.0.0.1:{addresses.gateway_port}"})
    )
    consumer = Consumer(
        {
            "bootstrap.servers": addresses.kafka_bootstrap,
            "group.id": "somebody-else",
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
        }
    )
    wanted = {name for name in topics() if name != "events.raw"}
    consumer.subscribe(sorted(wanted))
    read: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + 60
    while set(read) != wanted:
        assert time.monotonic() < deadline, f"nothing came from {wanted - set(read)}"
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            context = SerializationContext(message.topic(), MessageField.VALUE)
            read[message.topic()] = deserialize(message.value(), context)
    consumer.close()
    assert read["events.dead-letter"]["reason"] == "undecodable"
    assert read["profiles.updates"]["version"] >= 1
    assert read["events.linked"]["profile_id"]


@pytest.mark.usefixtures("first")
def test_a_file_goes_in_and_who_is_whom_comes_out(retail_brain: CommandLine, tmp_path: Path) -> None:
    file, mapping, out = tmp_path / "people.csv", tmp_path / "mapping.yaml", tmp_path / "clusters.csv"
    mapping.write_text(
        "record_id: id\nsource: {constant: shop}\nidentifiers: {email: mail}\ntraits: {full_name: name}\n"
    )
    file.write_text(
        "id,mail,name\n"
        "a,ann.lee@mailbox.net,Ann Lee\n"
        "b,Ann.Lee@mailbox.net,Ann M. Lee\n"
        "c,bob@mailbox.net,Bob Ray\n"
        ",someone@mailbox.net,No Id\n"
        f"d,dee@mailbox.net,{'x' * 5_000}\n"
    )
    done = json.loads(retail_brain.run("ingest", str(file), "--mapping", str(mapping), "--json"))
    assert (done["accepted"], done["refused"], done["bad_lines"], done["known_before"]) == (3, 1, 1, 0)
    rejected = [json.loads(line) for line in Path(done["rejects"]).read_text().splitlines()]
    assert {(r["line"], r["record_id"]) for r in rejected} == {(5, None), (6, "d")}
    again = json.loads(retail_brain.run("ingest", str(file), "--mapping", str(mapping), "--json"))
    assert (again["known_before"], again["outcome"]) == (3, done["outcome"])
    retail_brain.run("export", "--out", str(out), "--source", "shop")
    profile = {row["record_id"]: row["profile_id"] for row in csv.DictReader(out.open())}
    assert profile["a"] == profile["b"] != profile["c"]
    retail_brain.run("export", "--out", str(out))
    assert len(list(csv.DictReader(out.open()))) == RECORDS + 3


@pytest.mark.skipif(
    shutil.which("curl") is None, reason="the examples are for curl, which is not installed here"
)
@pytest.mark.usefixtures("first")
def test_the_examples_for_curl_are_taken(retail_brain: CommandLine) -> None:
    (exported,) = re.findall(r"export (GATEWAY=.*)", retail_brain.run("up"))
    given = dict(pair.split("=", 1) for pair in exported.split())
    sending = (ROOT / "README.md").read_text().partition("## Send events")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", sending, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        command = block.replace("curl ", "curl -sS --fail-with-body ")
        done = subprocess.run(
            ("bash", "-euo", "pipefail", "-c", command),
            env={**os.environ, **given},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert json.loads(done.stdout).get("refused", 0) == 0


@pytest.mark.usefixtures("first")
def test_the_examples_of_the_readme_do_what_they_say(retail_brain: CommandLine) -> None:
    readme = (ROOT / "README.md").read_text()
    (exported,) = re.findall(r"export (GATEWAY=.*)", retail_brain.run("up"))
    given = dict(pair.split("=", 1) for pair in exported.split())

    def python(block: str) -> str:
        done = subprocess.run(
            (sys.executable, "-c", block),
            env={**os.environ, **given},
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with httpx.Client(
        base_url=given["GATEWAY"], headers={"Authorization": f"Bearer {given['KEY']}"}, trust_env=False
    ) as client:
        body, *_ = re.findall(r"^curl [^\n]* -d '(\{.*?\n\})'$", readme, re.MULTILINE | re.DOTALL)
        headers = {"Content-Type": "application/json"}
        assert client.post("/v1/events", content=body, headers=headers).status_code == 202
        ask, produce, consume = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
        assert "first_name" in python(ask)
        python(produce)
        for identifier in ({"email": "ann.lee@gmail.com"}, {"loyalty_id": "L-77"}):
            deadline = time.monotonic() + 60
            while not client.get("/v1/profiles", params=identifier).json()["data"]:
                assert time.monotonic() < deadline, f"nobody has {identifier}"
                time.sleep(0.1)
        (stream,) = re.findall(r'curl -N .*"\$GATEWAY(/v1/changes[^"]*)"', readme)
        assert "event: profile.created" in client.get(stream, timeout=30).text
    assert "'golden_record'" in python(consume)


def test_decisions_are_followed_as_they_come(retail_brain: CommandLine, first: dict[str, Any]) -> None:
    (merged,) = retail_brain.run(
        "tail", "--beginning", "--type", "identity.merged", "--count", "1"
    ).splitlines()
    assert re.fullmatch(r"\S+  merged     \S+ <- \S+  [01]\.\d\d  .+ [+-]\d+\.\d.*", merged)
    lines = retail_brain.run("tail", "--beginning", "--count", "50", "--json").splitlines()
    assert {json.loads(one)["type"] for one in lines} & {"event.linked", "identity.merged", "review.pending"}
    assert len(lines) == 50


def test_all_stands_as_from_scratch_until_somebody_meddles(
    retail_brain: CommandLine, first: dict[str, Any]
) -> None:
    clean = json.loads(retail_brain.run("verify", "--json"))
    assert clean["differences"] == []
    assert clean["records"] >= first["outcome"]["records"]
    with psycopg.connect(Stack(retail_brain.home).last_addresses().postgres_dsn) as connection:
        connection.execute(
            "UPDATE identity_record SET profile_id = (SELECT min(profile_id::text)::uuid FROM identity_record) "
            "WHERE record_id = (SELECT record_id FROM identity_record ORDER BY profile_id DESC LIMIT 1)"
        )
    process = retail_brain.start("verify", "--json")
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert json.loads(out)["faults"]["wrong_profile"] == 1

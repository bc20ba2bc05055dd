"""The embedded stack starts, survives crashes with its data, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from infra.embedded.kafka import Kafka
from infra.embedded.stack import NAMES, Name, Stack
from infra.embedded.state import Addresses
from infra.embedded.valkey import Valkey
from pipeline.errors import ServerFailed


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that only its owner may enter, with a long path and spaces in it."""
    with tempfile.TemporaryDirectory() as top:  # mode 0700
        yield Path(top) / ("a folder with a long name " * 5).strip() / "home"


@pytest.fixture(scope="module")
def own(folder: Path) -> Iterator[Stack]:
    """A stack for this module alone: its servers are killed."""
    stack = Stack(folder, well_known_ports=False)
    yield stack
    stack.stop()


def put(addresses: Addresses) -> None:
    """Leave a mark in each server, acknowledged."""
    admin = AdminClient({"bootstrap.servers": addresses.kafka_bootstrap})
    admin.create_topics([NewTopic("mark", 1, 1)])["mark"].result()
    producer = Producer({"bootstrap.servers": addresses.kafka_bootstrap, "acks": "all"})
    producer.produce("mark", b"kept")
    assert producer.flush(15) == 0
    with psycopg.connect(addresses.postgres_dsn) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE TABLE mark AS SELECT 'kept' AS text, '[1,2]'::vector AS v")
    with redis.Redis.from_url(addresses.redis_url) as client:
        client.set("mark", "kept")
    time.sleep(1.1)  # the append-only file is synced every second


def assert_kept(addresses: Addresses) -> None:
    """The marks are there."""
    group = {"group.id": f"g{time.time_ns()}", "group.protocol": "consumer", "auto.offset.reset": "earliest"}
    consumer = Consumer({"bootstrap.servers": addresses.kafka_bootstrap, **group})
    consumer.subscribe(["mark"])
    message = consumer.poll(15)
    consumer.close()
    assert message is not None
    assert message.value() == b"kept"
    with psycopg.connect(addresses.postgres_dsn) as connection:
        assert connection.execute("SELECT text FROM mark").fetchone() == ("kept",)
    with redis.Redis.from_url(addresses.redis_url) as client:
        assert client.get("mark") == b"kept"


def processes_in(folder: Path) -> list[psutil.Process]:
    """Whatever has its working directory in the folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd().startswith(str(folder.resolve())):
                found.append(process)
    return found


@pytest.mark.stack
class TestStackLife:
    """In order: each test goes on where the one before left the servers."""

    def test_starts_from_nothing(self, own: Stack) -> None:
        addresses = own.start()
        put(addresses)
        assert all(own.running().values())
        assert own.addresses() == addresses

    def test_is_private(self, own: Stack) -> None:
        """The state holds a password and a key; Postgres lets nobody in without it."""
        assert (own.home / "stack.json").stat().st_mode & 0o077 == 0
        assert (own.home / "postgres.password").stat().st_mode & 0o077 == 0
        port = own.last_addresses().postgres_dsn.rsplit(":", 1)[1]
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}")

    def test_a_stranger_on_our_port_is_not_taken_for_ours(self, own: Stack, tmp_path: Path) -> None:
        """Two stacks may choose the same free port at the same time."""
        addresses = own.last_addresses()
        kafka = Kafka(tmp_path / "kafka", (int(addresses.kafka_bootstrap.rpartition(":")[2]), 0), ())
        kafka.folder.joinpath("log").mkdir(parents=True)
        kafka.folder.joinpath("log", "meta.properties").write_text("cluster.id=another\n")
        assert not kafka.ready(1)
        valkey = Valkey(tmp_path, (int(addresses.redis_url.rpartition(":")[2].removesuffix("/0")),))
        assert not valkey.ready(1)
        pid = own.running()["valkey"]
        assert pid is not None
        assert valkey.ready(pid.pid)

    def test_a_second_start_changes_nothing(self, own: Stack) -> None:
        before = own.running()
        own.start()
        assert own.running() == before

    @pytest.mark.parametrize("name", NAMES)
    def test_a_killed_server_comes_back_with_its_data(self, own: Stack, name: Name) -> None:
        addresses = own.last_addresses()
        own.kill(name)
        assert own.addresses() is None
        assert own.start() == addresses
        assert_kept(addresses)

    def test_all_killed_at_once(self, own: Stack) -> None:
        for name in NAMES:
            own.kill(name)
        assert_kept(own.start())

    def test_servers_no_record_names_are_found_and_replaced(self, own: Stack) -> None:
        """The starter may be killed before it wrote a pid down."""
        state = own.home / "stack.json"
        held = state.read_text()
        before = {recorded.pid for recorded in own.running().values() if recorded}
        state.write_text(held[: held.index('"processes"')] + '"processes": {}}')
        assert_kept(own.start())
        assert not before & {process.pid for process in processes_in(own.home)}

    def test_ports_taken_meanwhile_are_given_up(self, own: Stack) -> None:
        own.stop()
        port = int(own.last_addresses().redis_url.split(":")[2].split("/")[0])
        thief = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(0.5)
            addresses = own.start()
        finally:
            thief.terminate()
            thief.wait()
        assert f":{port}/" not in addresses.redis_url
        assert_kept(addresses)

    def test_stops_and_leaves_nothing(self, own: Stack) -> None:
        own.stop()
        assert processes_in(own.home) == []
        assert own.addresses() is None
        own.stop()

    def test_says_why_a_server_does_not_start(self, own: Stack) -> None:
        properties = own.home / "kafka" / "log" / "meta.properties"
        whole = properties.read_text()
        properties.write_text(whole.replace("node.id=1", "node.id=7"))
        with pytest.raises(ServerFailed, match=r"(?s)kafka ended with status 1.*kafka\.log.*node"):
            own.start()
        properties.write_text(whole)
        assert_kept(own.start())


@pytest.mark.stack
def test_a_stack_ends_with_its_guarded_starter(tmp_path: Path) -> None:
    """The way the tests' own stack works: kill -9 of the starter leaves neither process nor folder."""
    home = tmp_path / "home"
    program = (
        "import pathlib, sys, time\n"
        "from infra.embedded.guard import guard\n"
        "from infra.embedded.stack import Stack\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "guard(home, remove=True)\n"
        "Stack(home, well_known_ports=False).start()\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"up\n"
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    deadline = time.monotonic() + 20
    while home.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not home.exists()
    assert processes_in(home) == []

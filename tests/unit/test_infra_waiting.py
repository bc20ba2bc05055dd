"""What a waiting process makes of what it finds: nothing that servers do while they start ends the wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource

from infra import doctor, waiting
from infra.doctor import Finding, kafka, postgres
from infra.waiting import NEEDS, await_servers
from pipeline.errors import StoreUnavailable
from pipeline.settings import Settings
from schemas.topics import topics


def settings_with(port: int) -> Settings:
    return Settings.model_validate({"gateway_port": port})


def test_it_looks_where_servers_are_by_now(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(settings: Settings) -> Iterator[Finding]:
        yield Finding("Kafka", settings.gateway_port == 2, "")  # a server may refuse without a word

    monkeypatch.setattr(waiting, "NEEDS", {"relay": (look,)})
    addresses = iter((1, 1, 2))
    found = await_servers("relay", lambda: settings_with(next(addresses)), threading.Event(), look_s=0)
    assert found == settings_with(2)


def test_who_is_stopped_finds_nothing() -> None:
    stop = threading.Event()
    stop.set()
    assert await_servers(next(iter(NEEDS)), Settings, stop) is None


class Answering:
    """A Postgres that answers once."""

    info = SimpleNamespace(server_version=160_004)

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, _: str) -> Answering:
        return self

    def fetchone(self) -> tuple[str]:
        return ("0.8",)


def test_a_postgres_that_goes_between_two_looks_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> tuple[str, ...]:
        raise StoreUnavailable("connection refused")

    monkeypatch.setattr(doctor.psycopg, "connect", lambda *_, **__: Answering())
    monkeypatch.setattr(doctor, "pending", gone)
    (found,) = postgres(Settings())
    assert (found.what, found.ok, found.found) == ("Postgres", False, "connection refused")


class Silent:
    """A Kafka that has every topic, and describes none."""

    def __init__(self, code: int) -> None:
        self._code = code
        self.patience: list[float] = []

    def list_topics(self, timeout: float) -> SimpleNamespace:
        self.patience.append(timeout)
        declared = topics().items()
        held = {n: SimpleNamespace(partitions=dict.fromkeys(range(t.partitions))) for n, t in declared}
        return SimpleNamespace(topics=held)

    def describe_configs(
        self, resources: list[ConfigResource], request_timeout: float
    ) -> dict[ConfigResource, Silent]:
        self.patience.append(request_timeout)
        return dict.fromkeys(resources, self)

    def result(self) -> None:
        raise KafkaException(KafkaError(self._code))


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._TIMED_OUT])
def test_topics_that_nobody_describes_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    client = Silent(code)
    monkeypatch.setattr("pipeline.stream.kafka.AdminClient", lambda *_, **__: client)
    found = {f.what: f for f in kafka(Settings())}
    assert list(found) == ["Kafka", "topics", "topic settings"]
    assert found["Kafka"].ok
    assert found["topics"].ok
    described = found["topic settings"]
    assert (described.ok, described.blocks) == (False, False)
    assert "described" in described.found
    assert set(client.patience) == {3}

"""Which protocol a group is joined by, and what ends a member."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from confluent_kafka import KafkaError, TopicPartition

from pipeline.errors import StageStopped
from pipeline.settings import Settings
from pipeline.stream import group
from pipeline.stream.group import Group

FATAL = KafkaError(KafkaError._FATAL, "ConsumerGroupHeartbeat: API version not supported")
PASSING = KafkaError(KafkaError._ALL_BROKERS_DOWN, "all brokers are down")
PLACES = [TopicPartition("t", 0, 7)]


class Answer:
    """Stands in for a message of the client."""

    def __init__(self, error: KafkaError | None) -> None:
        self._error = error

    def error(self) -> KafkaError | None:
        return self._error


class Client:
    """Stands in for the client: hands out what a test puts into `next`, after `before` was called."""

    def __init__(self, config: Mapping[str, object]) -> None:
        self.protocol = config["group.protocol"]
        self.next: list[Answer] = []
        self.did: list[str] = []
        self.before: Callable[[], None] = lambda: None

    def subscribe(
        self, topics: list[str], on_assign: Callable[..., None], on_revoke: Callable[..., None], **_: object
    ) -> None:
        self.topics, self.on_assign, self.on_revoke = topics, on_assign, on_revoke

    def consume(self, count: int, _seconds: float) -> list[Answer]:
        self.before()
        self.next, found = [], self.next
        return found[:count]

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self.did.append(name)


class Watched:
    """A member that takes what comes."""

    def __init__(self) -> None:
        self.group: Group | None = None

    def assigned(self, partitions: list[TopicPartition]) -> None:
        assert self.group is not None
        self.group.take(partitions)

    def revoked(self, partitions: list[TopicPartition]) -> None: ...

    def lost(self, partitions: list[TopicPartition]) -> None: ...

    def told(self, error: KafkaError | None, places: list[TopicPartition]) -> None: ...


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    made: list[Client] = []

    def make(config: Mapping[str, object], on_commit: object) -> Client:
        made.append(Client(config))
        return made[-1]

    monkeypatch.setattr(group, "consumer", make)
    return made


def joined(**settings: str) -> Group:
    member = Watched()
    member.group = Group("stage", ["t"], Settings.model_validate(settings), member, {})
    return member.group


def test_a_broker_that_refuses_the_new_protocol_is_asked_by_the_classic_one(clients: list[Client]) -> None:
    member = joined(topic_prefix="p.")
    clients[0].next = [Answer(FATAL)]
    assert member.consume(10, 0) == []
    assert [c.protocol for c in clients] == ["consumer", "classic"]
    assert clients[1].topics == ["p.t"]
    assert clients[0].did == ["close"]
    clients[1].before = lambda: clients[1].on_assign(clients[1], PLACES)
    message = Answer(None)
    clients[1].next = [Answer(PASSING), message]
    assert member.consume(10, 0) == [message]
    clients[1].on_revoke(clients[1], PLACES)
    assert clients[1].did == ["assign", "unassign"]


def test_what_the_classic_protocol_refuses_too_ends_the_member(clients: list[Client]) -> None:
    member = joined()
    clients[0].next = [Answer(FATAL)]
    member.consume(10, 0)
    clients[1].next = [Answer(FATAL)]
    with pytest.raises(StageStopped):
        member.consume(10, 0)


def test_a_refusal_after_partitions_came_ends_the_member(clients: list[Client]) -> None:
    member = joined()
    clients[0].before = lambda: clients[0].on_assign(clients[0], PLACES)
    clients[0].next = [Answer(FATAL)]
    with pytest.raises(StageStopped):
        member.consume(10, 0)
    assert (len(clients), clients[0].did) == (1, ["incremental_assign"])


def test_the_classic_protocol_may_be_set(clients: list[Client]) -> None:
    joined(kafka_group_protocol="classic")
    assert [c.protocol for c in clients] == ["classic"]

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from consumers.letters import Letters
from consumers.loop import ProjectionHandler
from consumers.redis_port import MemoryPositions
from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage, BrokerUnavailable, CacheUnavailable
from pipeline.settings import Settings
from pipeline.stream.batch import Batch, Message, batch_of
from pipeline.stream.publish import MemoryPublisher
from schemas.codec import Codec, load_codec
from tests.support.linked import state, uid

TOPIC = "profiles.updates"


class Notes:
    """A projection that writes down what it is told."""

    name = "notes"
    topics = (TOPIC,)

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.away = False

    def read(self, topic: str, key: bytes | None, value: Mapping[str, object] | None) -> str | None:
        assert topic == TOPIC
        if key == b"bad":
            raise BadMessage(ReasonCode.SCHEMA_VIOLATION, "key")
        return None if key == b"dull" else f"{key!r}:{value['version'] if value else None}"

    def apply(self, facts: Sequence[str]) -> None:
        if self.away:
            raise CacheUnavailable("away")
        self.seen += facts

    def rest(self) -> None:
        self.seen.append("rest")


class House:
    """A handler over things in memory."""

    def __init__(self) -> None:
        settings = Settings(topic_prefix="t.")
        self.codec: Codec = load_codec(settings)
        self.notes = Notes()
        self.positions = MemoryPositions()
        self.publisher = MemoryPublisher()
        letters = Letters("notes", settings, self.codec, self.publisher)
        self.handler = ProjectionHandler(self.notes, settings, self.codec, self.positions, letters)

    def batch(self, *messages: tuple[bytes, bytes | None]) -> Batch:
        made = [
            Message("t." + TOPIC, 0, i, datetime(2026, 1, 1, tzinfo=UTC), key, value)
            for i, (key, value) in enumerate(messages)
        ]
        return batch_of(made, {("t." + TOPIC, 0): None})


@pytest.fixture
def house() -> House:
    return House()


def test_bad_messages_become_dead_letters_and_the_others_are_applied(house: House) -> None:
    good = house.codec.encode(TOPIC, state("a", 3, ["r"]))
    refused = house.handler.handle(
        house.batch((b"a", good), (b"x", b"rubbish"), (b"bad", good), (b"dull", good), (b"a", None))
    )
    assert refused == 2
    assert house.notes.seen == ["b'a':3", "b'a':None"]
    assert house.positions.offsets == {("t." + TOPIC, 0): 5}
    letters = [house.codec.decode("events.dead-letter", sent.value or b"") for sent in house.publisher.log]
    assert [(x["reason"], x["offset"], x["topic"], x["stage"], x["sealed_value"]) for x in letters] == [
        ("undecodable", 1, TOPIC, "notes", None),
        ("schema_violation", 2, TOPIC, "notes", None),
    ]


@pytest.mark.parametrize("part", ["redis", "broker"])
def test_positions_do_not_move_while_a_server_is_away(house: House, part: str) -> None:
    house.notes.away = part == "redis"
    house.publisher.away = part == "broker"
    with pytest.raises((CacheUnavailable, BrokerUnavailable)):
        house.handler.handle(house.batch((uid("a").encode(), b"rubbish")))
    assert house.positions.offsets == {}


def test_what_cannot_be_applied_is_buried_under_the_same_id_each_time(house: House) -> None:
    batch = house.batch((b"a", b"rubbish"))
    for _ in range(2):
        house.handler.bury(batch.messages[0], batch.positions[0], ValueError("secret"))
    first, again = house.publisher.log
    assert first.key == again.key
    letter = house.codec.decode("events.dead-letter", first.value or b"")
    assert (letter["reason"], letter["detail"]) == ("processing_failed", "ValueError")
    assert house.positions.offsets == {("t." + TOPIC, 0): 1}


def test_idle_moments_are_passed_on(house: House) -> None:
    house.handler.settle()
    assert house.notes.seen == ["rest"]

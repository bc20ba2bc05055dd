"""Taking an event whose customer was seen before is taking it for the first time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from gateway.ports import Ports
from gateway.taking import Refused, Taken, Taking
from gateway.values import Customer
from pipeline.events import Limits
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.remembered import Remembered
from pipeline.settings import Settings
from schemas.codec import Codec, load_codec
from tests.support.ids import numbered
from tests.support.people import policy

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = {
    "source": "web",
    "event_type": "visit",
    "event_id": "v-1",
    "identifiers": {"email": "jo@mail.test", "phone": ["+14155550132"]},
    "traits": {"first_name": "Jo", "date_of_birth": "2026-03-02"},
    "payload": {"amount": 3},
}


@dataclass
class Stub:
    """The ports that `take` uses; `most` customers are remembered."""

    most: int
    settings: Settings = field(default_factory=Settings)
    limits: Limits = field(default_factory=Limits)
    policy: Policy = field(default_factory=policy)
    codec: Codec = field(default_factory=lambda: load_codec(Settings()))

    def __post_init__(self) -> None:
        self.customers: Remembered[Customer] = Remembered(self.most)

    def new_id(self) -> Id:
        return numbered(7)

    def take(self, value: object, now: datetime = NOW, *, strict: bool = True) -> Taken | Refused:
        return Taking(cast(Ports, self), now, "r", "c", strict).take(value)


def born(text: str) -> dict[str, object]:
    return {**EVENT, "traits": {"first_name": "Jo", "date_of_birth": text}}


@pytest.mark.parametrize(
    "value",
    [
        born("1990-01-31"),
        {**born("1990-01-31"), "event_id": None},
        {**born("1990-01-31"), "event_id": "0b0e7ad6-4b1c-4c34-9c0b-0f3b3a1f2f11"},
        {**EVENT, "identifiers": None, "traits": None},
        {"source": "web", "event_type": "visit"},
        {**born("1990-01-31"), "identifiers": {"phone": "0000000000", "email": []}},
        {**EVENT, "traits": {"favourite": "blue"}},
        EVENT,
        {**EVENT, "identifiers": {"phone": "12"}},
        {**EVENT, "identifiers": {"shoe": "12"}},
        {**EVENT, "sorce": 1},
        {**EVENT, **{str(n): n for n in range(30)}},
        [],
        None,
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_remembered_changes_nothing(value: object, strict: bool) -> None:
    forgetful, knowing = Stub(0), Stub(10)
    for _ in range(3):
        assert knowing.take(value, strict=strict) == forgetful.take(value, strict=strict)


def test_a_wrong_event_of_a_known_customer_is_told_what_is_wrong() -> None:
    forgetful, knowing = Stub(0), Stub(10)
    assert isinstance(knowing.take(born("1990-01-31")), Taken)
    for wrong in ({"source": "two words"}, {"occurred_at": "soon"}, {"payload": []}, {"extra": 1}):
        found = knowing.take({**born("1990-01-31"), **wrong})
        assert isinstance(found, Refused)
        assert found == forgetful.take({**born("1990-01-31"), **wrong})


def test_leniency_and_the_day_are_remembered_with_a_customer() -> None:
    """A date that lies ahead is refused today, not by the lenient, and not the day after."""
    ports = Stub(10)
    for _ in range(2):
        assert isinstance(ports.take(EVENT, strict=False), Taken)
        assert isinstance(ports.take(EVENT), Refused)
        assert isinstance(ports.take(EVENT, NOW + timedelta(days=1)), Taken)


def test_only_so_many_are_remembered() -> None:
    remembered: Remembered[int] = Remembered(2)
    for number, name in enumerate((b"a", b"b", b"c")):
        remembered.add(name, number)
        assert remembered.get(b"b") == (None if number == 0 else 1)
    assert [remembered.get(name) for name in (b"a", b"b", b"c")] == [None, 1, 2]


@pytest.mark.parametrize("name", ["Ja\x00ne", "Jane\N{GRINNING FACE}", "\N{GRINNING FACE}"])
def test_control_characters_and_emoji_in_a_name_are_refused_by_field_unless_leniently(name: str) -> None:
    odd = {**born("1990-01-31"), "traits": {"first_name": name, "last_name": "Doe"}}
    refused = Stub(0).take(odd)
    assert isinstance(refused, Refused)
    assert [(e.field, e.reason) for e in refused.errors] == [("traits.first_name", "unusual_characters")]
    assert "without control characters" in refused.errors[0].mend
    assert isinstance(Stub(0).take(odd, strict=False), Taken)
    assert isinstance(Stub(0).take({**odd, "traits": {"first_name": "José"}}), Taken)

"""Hashed records: what is remembered equals what is made, and the key is the strongest identifier's."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sized
from datetime import date
from typing import cast

from pipeline.events import Limits
from pipeline.hashed_record import HashedRecord, RecordHasher
from pipeline.settings import Settings
from schemas.codec import load_codec
from schemas.compiled import Encoded
from tests.support.people import policy, ring

DAY = date(2026, 1, 1)
PEOPLE = [({"email": [f"p{i}@mail.test"], "phone": ["+14155550132"]}, {"first_name": "Jo"}) for i in range(5)]


CODEC = load_codec(Settings())


class Hasher:
    """Hashes what events say, given as it is before it is encoded."""

    def __init__(self, remembered: int) -> None:
        self._hasher = RecordHasher(
            policy(), ring().current, ring().naming, "US", remembered, CODEC, Limits()
        )

    def hashed(
        self, identifiers: object, traits: object, today: date, event_id: bytes = b"e"
    ) -> HashedRecord:
        encoded = [
            CODEC.encode_field("events.raw", name, cast(Sized, value))
            for name, value in (("identifiers", identifiers), ("traits", traits))
        ]
        return self._hasher.hashed(*encoded, today, event_id)


def hasher(remembered: int) -> Hasher:
    return Hasher(remembered)


def test_what_is_remembered_is_what_was_made() -> None:
    fresh, small, large = hasher(0), hasher(2), hasher(100)
    for _ in range(3):
        for identifiers, traits in PEOPLE:
            made = fresh.hashed(identifiers, traits, DAY)
            assert made == small.hashed(identifiers, traits, DAY) == large.hashed(identifiers, traits, DAY)


def test_the_day_counts() -> None:
    """A date of birth that lies in the future today may be a past one tomorrow."""
    memory = hasher(10)
    born = {"first_name": "Jo", "date_of_birth": "2026-01-02"}
    today, later = (memory.hashed({}, born, day) for day in (DAY, date(2026, 1, 3)))
    assert today.issues
    assert not later.issues
    assert today.record_id != later.record_id


def test_the_key_is_of_the_strongest_identifier_so_that_its_events_meet() -> None:
    def key(**identifiers: str) -> bytes:
        return hasher(0).hashed({k: [v] for k, v in identifiers.items()}, {"national_id": "1234567"}, DAY).key

    assert key(loyalty_id="L-17", device_id="abcdef-1") == key(loyalty_id="L-17", device_id="abcdef-2")
    assert len(key()) == 16


def test_nobody_has_no_record() -> None:
    assert hasher(1).hashed({}, {}, DAY) == HashedRecord(None, Encoded(), b"", b"", b"", ())


def test_what_is_remembered_takes_no_more_room_than_it_needs() -> None:
    made = [hasher(0).hashed(*person, DAY) for person in PEOPLE]
    tracemalloc.start()
    made += [hasher(0).hashed(*person, DAY) for person in PEOPLE * 10]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(made) < 2_000


def test_plaintext_is_not_shown() -> None:
    made = hasher(0).hashed({"email": ["jo@mail.test"]}, {}, DAY)
    assert b"jo@mail.test" in made.serialized
    assert "jo@mail.test" not in repr(made)


def test_what_two_people_may_share_is_a_record_an_event() -> None:
    shared, told = {"city": "Hull", "date_of_birth": "1980-05-06"}, {"last_name": "Lee", "postcode": "94107"}
    same = hasher(10)
    assert same.hashed({}, shared, DAY, b"a").record_id != same.hashed({}, shared, DAY, b"b").record_id
    assert same.hashed({}, shared, DAY, b"a").record_id == same.hashed({}, shared, DAY, b"a").record_id
    assert same.hashed({}, told, DAY, b"a").record_id == same.hashed({}, told, DAY, b"b").record_id

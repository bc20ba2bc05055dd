"""The golden record: trust, completeness, recency, record id; winners only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from pipeline.identity.ids import Id
from pipeline.identity.model import Identifier, IdentifierType, IdentityRecord, RecordActivity, Trait
from pipeline.identity.survivorship import golden_record
from tests.support.ids import numbered
from tests.support.people import policy

START = datetime(2026, 1, 1, tzinfo=UTC)


def seen(number: int, day: int, source: str, **traits: str) -> tuple[IdentityRecord, RecordActivity]:
    at = START + timedelta(days=day)
    return IdentityRecord(numbered(number), (), {Trait(k): v for k, v in traits.items()}), RecordActivity(
        at, at, (source,)
    )


def test_the_trusted_source_wins_then_the_complete_then_the_recent() -> None:
    records = [
        seen(1, 0, "crm", first_name="ada"),
        seen(2, 9, "web", first_name="adah", city="hull"),
        seen(3, 5, "web", city="york", street="elm st", street_number="1"),
        seen(4, 7, "web", city="leeds", street="oak st", street_number="2"),
    ]
    winners = golden_record(records, policy()).winners
    assert winners["first_name"] == numbered(1)
    assert winners["city"] == winners["street"] == numbered(4)


def test_a_name_beats_an_initial() -> None:
    records = [
        seen(1, 0, "web", first_name="ada"),
        seen(2, 5, "web", first_name="a", last_name="lovelace"),
    ]
    assert golden_record(records, policy()).winners["first_name"] == numbered(1)


def test_identifiers_have_a_winner_of_each_type() -> None:
    record, activity = seen(1, 0, "web")
    held = IdentityRecord(record.record_id, (Identifier(IdentifierType.EMAIL, "a@x.org"),), {})
    assert golden_record([(held, activity)], policy()).winners == {"email": numbered(1)}


def test_coming_back_changes_nothing_where_the_values_are_the_same() -> None:
    def winners(*days: int) -> dict[str, Id]:
        visits = [seen(n, day, "web", first_name="ada", city=f"town{n}") for n, day in enumerate(days)]
        return dict(golden_record(visits, policy()).winners)

    assert winners(1, 2) == {"first_name": numbered(1), "city": numbered(1)}
    assert winners(3, 2) == {"first_name": numbered(1), "city": numbered(0)}


def test_records_that_differ_contest_each_other() -> None:
    ada, also_ada = seen(1, 0, "crm", first_name="ada"), seen(2, 9, "web", first_name="ada", city="york")
    assert not golden_record([ada], policy()).contested
    assert not golden_record([ada, also_ada], policy()).contested
    assert golden_record([ada, also_ada, seen(3, 9, "web", city="hull")], policy()).contested


def test_order_does_not_matter() -> None:
    records = [seen(n, n % 2, "web", first_name="ada", city=f"town{n}") for n in range(4)]
    assert (
        len({tuple(golden_record(order, policy()).winners.items()) for order in permutations(records)}) == 1
    )

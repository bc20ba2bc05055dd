"""The golden record: the policy's criteria in the policy's order, spellings, one home, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Criterion,
    Identifier,
    IdentifierType,
    IdentityRecord,
    RecordActivity,
    Trait,
)
from pipeline.identity.policy import Policy
from pipeline.identity.survivorship import choices, golden_record
from tests.support.ids import numbered
from tests.support.people import policy

START = datetime(2026, 1, 1, tzinfo=UTC)
Seen = tuple[IdentityRecord, RecordActivity]


def seen(number: int, day: int, source: str, email: str = "", **traits: str) -> Seen:
    at = START + timedelta(days=day)
    held = (Identifier(IdentifierType.EMAIL, email),) if email else ()
    record = IdentityRecord(numbered(number), held, {Trait(k): v for k, v in traits.items()})
    return record, RecordActivity(at, at, (source,))


def winners(records: Sequence[Seen], rules: Policy | None = None) -> dict[str, int]:
    """Attribute -> number of the winning record."""
    numbers = {numbered(n): n for n in range(20)}
    found = golden_record(records, rules or policy())
    return {attribute: numbers[record] for attribute, record in found.winners.items()}


def by(order: str, attribute: str = "default") -> Policy:
    """The shipped policy with other criteria for an attribute."""
    criteria = tuple(Criterion[name.upper()] for name in order.split())
    return replace(policy(), survivorship={**policy().survivorship, attribute: criteria})


def test_the_trusted_source_wins_then_the_whole_address_then_the_recent() -> None:
    records = [
        seen(1, 0, "crm", first_name="ada"),
        seen(2, 9, "web", first_name="adah", city="hull"),
        seen(3, 5, "web", city="york", street="elm st", street_number="1"),
        seen(4, 7, "web", city="leeds", street="oak st", street_number="2"),
    ]
    assert winners(records) == {"first_name": 1, "city": 4, "street": 4, "street_number": 4}


def test_the_criteria_of_a_policy_decide_in_its_order() -> None:
    records = [
        seen(1, 1, "web", employer="acme"),
        seen(2, 2, "web", employer="acme"),
        seen(3, 9, "web", employer="initech"),
        seen(4, 0, "crm", employer="hooli"),
    ]
    assert winners(records, by("trust recency"))["employer"] == 4
    assert winners(records, by("frequency recency"))["employer"] == 2
    assert winners(records, by("recency"))["employer"] == 3
    assert winners(records, by("recency", "employer"))["employer"] == 3


def test_a_source_may_be_trusted_for_one_attribute() -> None:
    records = [
        seen(1, 0, "crm", city="hull", street="elm st", first_name="ada"),
        seen(2, 0, "pos", city="york", street="oak st", first_name="eve"),
    ]
    rules = replace(policy(), source_trust_of={"address": {"pos": 95}})
    assert winners(records, rules) == {"city": 2, "street": 2, "first_name": 1}


def test_a_name_beats_an_initial() -> None:
    records = [
        seen(1, 0, "web", first_name="ada"),
        seen(2, 5, "web", first_name="a", last_name="lovelace"),
        seen(3, 6, "web", first_name="a", last_name="byron"),
    ]
    assert winners(records)["first_name"] == 1


def test_a_date_beats_its_two_readings() -> None:
    records = [
        seen(1, 0, "web", date_of_birth="1978-11-12"),
        seen(2, 5, "web", date_of_birth="1978-11-12|1978-12-11"),
        seen(3, 6, "web", date_of_birth="1978-11-12|1978-12-11"),
    ]
    assert winners(records)["date_of_birth"] == 1


def test_the_whole_date_that_fits_beats_the_part_a_trusted_source_knows() -> None:
    records = [
        seen(1, 9, "crm", date_of_birth="1978-00-00"),
        seen(2, 5, "web", date_of_birth="1978-11-00"),
        seen(3, 3, "web", date_of_birth="1978-11-12"),
        seen(4, 8, "web", date_of_birth="1979-11-12"),  # does not fit, though it is later
    ]
    for order in permutations(records):
        assert winners(order)["date_of_birth"] == 3
    assert choices(records, policy())["date_of_birth"].by == "completeness"
    assert winners(records[:2])["date_of_birth"] == 2
    assert winners([records[0], records[3]])["date_of_birth"] == 1


def test_the_commonest_spelling_stands_though_a_slip_is_later() -> None:
    emails = ("ada@lovelace.org", "ada@lovelace.org", "adda@lovelace.org")
    records = [
        seen(n, n, "web", email, last_name=last, street=street, city="hull", postcode="HU1")
        for n, (email, last, street) in enumerate(
            zip(
                emails,
                ("lovelace", "lovelace", "lovelase"),
                ("elm tree rd", "elm tree rd", "elm tre rd"),
                strict=True,
            )
        )
    ]
    assert winners(records) == {"email": 1, "last_name": 1, "street": 1, "city": 2, "postcode": 2}
    moved = [*records, seen(9, 9, "web", "ada@byron.org", street="oak st", city="york")]
    assert winners(moved) == {"email": 9, "last_name": 1, "street": 9, "city": 9}


def test_a_slip_of_a_trusted_source_stands() -> None:
    records = [
        seen(1, 0, "crm", last_name="lovelase"),
        *(seen(n, n, "web", last_name="lovelace") for n in (2, 3)),
    ]
    assert winners(records)["last_name"] == 1


def test_an_address_is_that_of_one_home() -> None:
    old = seen(1, 0, "web", street="elm st", street_number="1", unit="4", city="hull", postcode="HU1")
    new = seen(2, 9, "web", street="oak st", street_number="2", city="york")
    beside = seen(3, 1, "web", street_number="2", street="oak st", postcode="YO1", country="GB")
    assert winners([old, new]) == {"street": 2, "street_number": 2, "city": 2}
    assert winners([old, new, beside]) == {
        "street": 3, "street_number": 3, "city": 2, "postcode": 3, "country": 3,
    }  # fmt: skip


def test_identifiers_have_a_winner_of_each_type() -> None:
    assert winners([seen(1, 0, "web", "a@x.org")]) == {"email": 1}


def test_coming_back_changes_nothing_where_the_values_are_the_same() -> None:
    def after(*days: int) -> dict[str, int]:
        return winners([seen(n, day, "web", first_name="ada", city=f"town{n}") for n, day in enumerate(days)])

    assert after(1, 2) == {"first_name": 1, "city": 1}
    assert after(3, 2) == {"first_name": 1, "city": 0}


def test_records_that_differ_contest_each_other() -> None:
    ada, also_ada = seen(1, 0, "crm", first_name="ada"), seen(2, 9, "web", first_name="ada", city="york")
    assert not golden_record([ada], policy()).contested
    assert not golden_record([ada, also_ada], policy()).contested
    assert golden_record([ada, also_ada, seen(3, 9, "web", city="hull")], policy()).contested


def test_why_a_record_won() -> None:
    records = [
        seen(1, 1, "web", "a@x.org", first_name="ada", last_name="king", gender="f", city="hull"),
        seen(2, 2, "web", "a@x.org", first_name="ada", last_name="king", gender="f", city="york"),
        seen(3, 9, "web", "b@y.org", first_name="eve", last_name="kinh", gender="f", city="york"),
        seen(4, 0, "crm", gender="m"),
    ]
    why = choices(records, policy())
    assert {attribute: choice.by for attribute, choice in why.items()} == {
        "email": "recency", "first_name": "frequency", "last_name": "frequency", "gender": "trust", "city": "recency",
    }  # fmt: skip
    assert {a: c.record_id for a, c in why.items()} == dict(golden_record(records, policy()).winners)
    spelt = choices(records, by("recency", "last_name"))["last_name"]
    assert (spelt.record_id, spelt.by) == (numbered(2), "spelling")
    tied = choices([seen(n, 0, "web", employer=f"firm {n}") for n in (1, 2)], policy())["employer"]
    assert (tied.record_id, tied.by) == (numbered(2), "record_id")
    assert choices([records[0]], policy())["email"].by == "agreed"


@pytest.mark.parametrize(
    "order", ["trust recency", "frequency completeness", "completeness", "recency frequency"]
)
def test_order_does_not_matter(order: str) -> None:
    streets = ("elm tree rd", "elm tre rd", "oak st", "elm tree rd")
    records = [
        seen(
            n,
            n % 2,
            ("web", "crm")[n % 3 == 0],
            first_name="ada"[: 1 + n],
            city=f"town{n % 3}",
            street=streets[n],
        )
        for n in range(4)
    ]
    rules = replace(policy(), survivorship={"default": by(order).survivorship["default"]})
    assert len({tuple(sorted(golden(order_, rules).items())) for order_ in permutations(records)}) == 1


def golden(records: Sequence[Seen], rules: Policy) -> dict[str, Id]:
    return dict(golden_record(records, rules).winners)

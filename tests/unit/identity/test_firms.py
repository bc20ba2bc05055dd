"""Customers that are firms: told by their names, compared by them, found by them."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.codes import ReasonCode
from pipeline.identity.compare import compare, side
from pipeline.identity.firms import firm, is_firm, likeness
from pipeline.identity.model import CanonicalRecord, Comparison, Issue, MatchKeyKind, Trait
from pipeline.identity.normalize import canonicalize
from pipeline.identity.sharing import person as whom
from tests.support.people import model, person, policy

HOME = {"address": "100 Howard Hughes Way, Las Vegas NV 89111"}


def canonical(**traits: str) -> CanonicalRecord:
    return canonicalize({}, traits, policy(), region="US", today=date(2026, 1, 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Universal Exports, Inc.", "universal exports"),
        ("Müllenkranz GmbH & Co. KG", "mullenkranz"),
        ("A.B.C. Motors S.A.", "abc motors"),
        ("Acme Company Ltd", "acme"),
        ("Limited", "limited"),
        ("O'Neill Ltd", "oneill"),
        ("The Smith and Sons Company", "smith sons"),
        ("Smith & Sons", "smith sons"),
        ("The The", "the the"),
    ],
)
def test_a_firm_without_its_legal_form(text: str, expected: str) -> None:
    assert firm(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Universal Exports Ltd", True),
        ("Universal Exports GmbH", True),
        ("Vasquez Bros. Inc.", True),
        ("Anna Co", False),  # a surname as well
        ("Marco Ag", False),
        ("Limited", False),
        ("Incorporated Smith", False),
        ("Anna Smith", False),
    ],
)
def test_a_firm_is_told_by_its_legal_form(text: str, expected: bool) -> None:
    assert is_firm(text) is expected


@pytest.mark.parametrize(
    ("x", "y", "level"),
    [
        ("universal exports", "universal exports", "exact"),
        ("universal exports", "univrsl exports", "close"),
        ("universal exports", "exports universal", "close"),
        ("autoworks", "auto works", "close"),
        ("universal exports", "universal exports worldwide", "part"),
        ("univrsl export", "universal exports usa", "part"),
        ("worldwide exports", "universal exports worldwide", "part"),
        ("universal exports india", "universal exports singapore", "different"),
        ("store 12", "store 13", "different"),
        ("exports exports", "universal exports", "different"),
    ],
)
def test_levels(x: str, y: str, level: str) -> None:
    assert likeness(x, y) == likeness(y, x) == level


def test_a_firm_in_the_place_of_a_person_is_a_firm() -> None:
    for traits in (
        {"organisation": "Universal Exports Ltd"},
        {"full_name": "Universal Exports Ltd"},
        {"last_name": "Universal Exports Ltd"},
    ):
        assert canonical(**traits).traits == {Trait.ORGANISATION: "universal exports"}, traits
    assert Trait.ORGANISATION not in canonical(first_name="Anna", last_name="Limited Ltd").traits


def test_a_firm_beside_a_person_is_the_employer() -> None:
    found = canonical(full_name="Anna Kowalski", organisation="Universal Exports Ltd").traits
    assert found[Trait.EMPLOYER] == "universal exports"
    assert Trait.ORGANISATION not in found
    told = canonical(full_name="Anna Kowalski", organisation="Acme", employer="Hooli").traits
    assert told[Trait.EMPLOYER] == "hooli"


def test_a_stand_in_is_no_firm() -> None:
    found = canonical(organisation="unknown unknown", city="Hull")
    assert Trait.ORGANISATION not in found.traits
    assert Issue("traits.organisation", ReasonCode.PLACEHOLDER) in found.issues


def test_a_firm_and_its_place_are_one_customer_wherever_they_come() -> None:
    assert canonical(organisation="Universal Exports", postcode="89111").is_distinct
    assert not canonical(organisation="Universal Exports", city="Las Vegas").is_empty
    assert canonical(organisation="Universal Exports").is_empty


def evidence(a: dict[str, str], b: dict[str, str]) -> Comparison:
    one, other = (
        side((person({k: v for k, v in values.items() if k == "phone"}, **{
            k: v for k, v in values.items() if k != "phone"
        }).arrival.record,))
        for values in (a, b)
    )  # fmt: skip
    return compare(one, other, model(), policy())


def test_firms_of_one_name_at_one_address_are_one_and_no_household() -> None:
    name, other = {"organisation": "Universal Exports"}, {"organisation": "Acme Laundry"}
    assert evidence({**name, **HOME}, {**name, **HOME}).confidence > 0.95
    assert evidence({**name, **HOME}, {"organisation": "Univrsl Export Inc", **HOME}).confidence > 0.95
    assert evidence({**name, **HOME}, {**other, **HOME}).confidence < 0.3
    assert evidence({**name, "city": "Hull"}, {**name, "city": "Leeds"}).confidence < 0.3


def test_colleagues_are_not_one_customer() -> None:
    firm_of_both = {"organisation": "Universal Exports", "phone": "+18005550143", **HOME}
    ann, bob = {"full_name": "Anna Kowalski"}, {"full_name": "Robert Meyer"}
    assert evidence({**ann, **firm_of_both}, {**bob, **firm_of_both}).confidence < 0.3


def test_a_firm_is_found_by_the_words_of_its_name() -> None:
    one, other = (
        set(person({}, organisation=name, city=city).arrival.keys)
        for name, city in (("Worldwide Exports", "New York"), ("Universal Exports Worldwide", "Manhattan"))
    )
    assert MatchKeyKind.NAME in {key.kind for key in one & other}


def test_firms_count_among_those_who_share_an_identifier() -> None:
    acme, long = whom({Trait.ORGANISATION: "acme"}), whom({Trait.ORGANISATION: "acme laundry"})
    assert acme == long != whom({Trait.ORGANISATION: "hooli"})

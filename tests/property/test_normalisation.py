"""What normalisation promises for every text: canonical is canonical, case and width do not matter, nothing hangs."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.identity.model import CanonicalRecord, IdentifierType, Trait
from pipeline.identity.normalize import MAX_VALUE, TRAIT_NAMES, canonicalize
from tests.support.people import policy

TODAY = date(2026, 1, 1)

_NAMES = [
    "Ada",
    "ada",
    "J.",
    "JR",
    "Jr.",
    "II",
    "Mr.",
    "Dr.",
    "Sr",
    "van",
    "der",
    "de",
    "la",
    "y",
    "Don",
    "Mc",
    "O'Hare",
    "Saint",
    "née",
    "(Bob)",
    '"Bob"',
    "Smith-Jones",
    "García",
    "王",
    "김철수",
    "ВАСИЛЬЕВ",
    "İrem",
    "xxx",
    "n/a",
    ",",
    "-",
    "Ph.D.",
    "Filho",
    "al-Saud",
]
_PLACES = [
    "12",
    "12a",
    "4/12",
    "12-14",
    "1/2",
    "bis",
    "#",
    "Apt",
    "Unit",
    "Flat",
    "3",
    "B",
    "Floor",
    "3rd",
    "2º",
    "No.",
    "PO",
    "Box",
    "RR",
    "Main",
    "High",
    "Street",
    "St",
    "Ave",
    "Road",
    "Rue",
    "de",
    "Calle",
    "C/",
    "Hauptstr.",
    "Suite",
    "Level",
    "Penthouse",
    "N",
    "West",
    "First",
    "42",
    "Springfield",
    "Las",
    "Vegas",
    "NV",
    "IL",
    "New",
    "York",
    "62701",
    "SW1A",
    "1AA",
    "1071",
    "1015DK",
    "CH-8001",
    "Germany",
    "USA",
    "c/o",
    "Platz",
    ",",
    ",",
    "-",
    "Saint",
    "Highway",
    "101",
    "Postfach",
    "BP",
    "Tower",
]
_NUMBERS = [
    "12",
    "12a",
    "4/12",
    "12-14",
    "bis",
    "No.",
    "#",
    "SW1A",
    "1AA",
    "1071",
    "D-80331",
    "89132-1234",
    "2138.0",
    "A",
]
_UNITS = [
    "Apt",
    "Unit",
    "Flat",
    "Floor",
    "Level",
    "Suite",
    "Penthouse",
    "#",
    "No.",
    "3",
    "B",
    "3rd",
    "2º",
    "4/12",
    "12-14",
    "West",
    "Main",
]
_DATES = [
    "1978-11-12",
    "12/11/1978",
    "11",
    "Nov",
    "1978",
    "12.11.78",
    "19781112",
    "28806",
    "1978",
    "T23:00:00Z",
    "|",
    "31",
    "00",
    "September",
]


def lines(vocabulary: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(vocabulary), min_size=1, max_size=8).map(" ".join)


traits = st.fixed_dictionaries(
    {},
    optional={
        "full_name": lines(_NAMES),
        "first_name": lines(_NAMES),
        "middle_name": lines(_NAMES),
        "last_name": lines(_NAMES),
        "name_suffix": st.sampled_from(["Jr", "III", "PhD", "x"]),
        "date_of_birth": lines(_DATES),
        "address": lines(_PLACES),
        "street": lines(_PLACES),
        "street_number": lines(_NUMBERS),
        "unit": lines(_UNITS),
        "city": lines(_PLACES),
        "state": lines(_PLACES),
        "postcode": lines(_NUMBERS),
        "country": lines(_PLACES),
        "gender": st.sampled_from(["M", "female", "?", "2", "divers"]),
        "employer": lines(["Acme", "Inc.", "GmbH", "&", "Co", "KG"]),
        "national_id": lines(["ssn:", "123-45-6780", "|", "Passport No:", "C 12", "000", "***1234"]),
    },
)


def canonical(
    identifiers: dict[str, list[str]], given_traits: dict[str, str], region: str = "US"
) -> CanonicalRecord:
    return canonicalize(identifiers, given_traits, policy(), region=region, today=TODAY)


def content(found: CanonicalRecord) -> dict[Trait, str]:
    return dict(found.traits)


@settings(max_examples=1500, deadline=None)
@given(traits)
@example({"street": "flat unit 5 7"})
@example({"address": "12 12 Main St"})
@example({"street": "12a", "address": "12 12a 12"})
@example({"street_number": "12a", "address": "12 12a Main St"})
def test_canonical_traits_stay_as_they_are(given_traits: dict[str, str]) -> None:
    once = canonical({}, given_traits)
    again = canonical({}, {t.value: v for t, v in once.traits.items()})
    assert content(again) == content(once)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(TRAIT_NAMES)), st.text(max_size=40)))
def test_any_text_has_a_canonical_form(given_traits: dict[str, str]) -> None:
    once = canonical({}, given_traits)
    assert all(v and v == v.strip() and v.isascii() for v in once.traits.values())


@settings(max_examples=300, deadline=None)
@given(traits, st.sampled_from([str.lower, str.casefold]))
def test_case_and_spaces_make_no_difference(given_traits: dict[str, str], fold) -> None:  # type: ignore[no-untyped-def]
    shouted = {k: f" \u00a0{v.upper()}\t" for k, v in given_traits.items() if k != "full_name"}
    told = {k: fold(v) for k, v in given_traits.items() if k != "full_name"}
    assert content(canonical({}, shouted)) == content(canonical({}, told))


@settings(max_examples=300, deadline=None)
@given(traits)
def test_full_width_letters_are_letters(given_traits: dict[str, str]) -> None:
    wide = {
        k: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in v) for k, v in given_traits.items()
    }
    assert content(canonical({}, wide)) == content(canonical({}, given_traits))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["phone", "email", "whatsapp", "loyalty_id"]),
    st.one_of(
        st.text(max_size=60),
        st.text("0123456789+()-/ .xextor;,@abcWA\u200b\u0660", max_size=40),
    ),
    st.sampled_from(["US", "DE", "GB", "IN", "BR"]),
)
def test_canonical_identifiers_stay_as_they_are(kind: str, value: str, region: str) -> None:
    once = canonical({kind: [value]}, {}, region)
    values = [i.value for i in once.identifiers]
    again = canonical({kind: values}, {}, region)
    assert [i.value for i in again.identifiers] == values


_LONG = [
    "a" * MAX_VALUE,
    "1" * MAX_VALUE,
    "1-" * 256,
    "1/" * 256,
    "a-" * 256,
    "a@" * 256,
    "a." * 256,
    ".a" * 255 + "@a",
    "@" * MAX_VALUE,
    "a@" + "a-" * 255,
    "a@" + "a." * 255,
    "(" * MAX_VALUE,
    "((a)" * 128,
    '"' * MAX_VALUE,
    "'a " * 170,
    "<" * MAX_VALUE,
    "<a@b>" * 102,
    "," * MAX_VALUE,
    " ,a" * 170,
    "x1" * 256,
    "ext 1" * 100,
    "+1 " * 170,
    "str" * 170,
    "aaastrasse" * 51,
    "apt 5 " * 85,
    "# 5 " * 128,
    "no " * 170,
    "12 " * 170,
    "po box " * 73,
    "1a" * 256,
    "jr " * 170,
    "dr " * 170,
    "de la " * 85,
    "née a " * 85,
    "and " * 128,
    "19781112" * 64,
    "1978-11-12|" * 46,
    "12/11/1978 " * 46,
    "november " * 56,
    "ssn:1|" * 85,
    "xxx" * 170,
    "\u0301" * MAX_VALUE,
    "ß" * MAX_VALUE,
    "王" * MAX_VALUE,
    "ع" * MAX_VALUE,
    "م" + "و" * 511,
    "\ufdfa" * MAX_VALUE,
    "\u200b" * MAX_VALUE,
    "½" * MAX_VALUE,
    "wa.me/" * 85,
    "https://api.whatsapp.com/send?" + "a&" * 240,
    "1 or " * 102,
    "a y " * 128,
    " - " * 170,
    "\ud800" * MAX_VALUE,
]


@pytest.mark.parametrize("text", _LONG, ids=lambda text: ascii(text[:12]))
def test_nothing_hangs_on_long_texts(text: str) -> None:
    """Every pattern reads the longest value there may be; one that tries all ways to part it would not come back."""
    kinds = {kind.value: [text] for kind in IdentifierType}
    found = canonical(kinds, dict.fromkeys(TRAIT_NAMES, text))
    assert found == canonical(kinds, dict.fromkeys(TRAIT_NAMES, text))

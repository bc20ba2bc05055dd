"""Dates of birth known in part: read, compared, found by, and outdone by the whole date that fits."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.codes import ReasonCode
from pipeline.identity.compare import compare
from pipeline.identity.dates import birth_date
from pipeline.identity.model import CanonicalRecord, MatchKeyKind, Trait
from pipeline.identity.normalize import canonicalize
from pipeline.identity.partial_dates import fits, is_whole, telling
from pipeline.identity.side import join, side
from pipeline.identity.similarity import births
from tests.support.people import model, person, policy

TODAY = date(2026, 11, 26)
YEAR, MONTH, DAY, OTHER_DAY = "1978-00-00", "1978-11-00", "1978-11-12", "1978-03-12"


def read(text: str) -> str | ReasonCode:
    return birth_date(text, TODAY, policy().placeholder_dates)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1978", YEAR),
        (" 1978 ", YEAR),
        ("1978.0", YEAR),
        ("1978-00-00", YEAR),
        ("19780000", YEAR),
        ("00/00/1978", YEAR),
        ("0.0.1978", YEAR),
        ("1978-XX-XX", YEAR),
        ("??/??/1978", YEAR),
        ("1978年", YEAR),
        ("1978-00", YEAR),
        ("1978-00-15", YEAR),  # the fifteenth of a month not known
        ("1978-11", MONTH),
        ("1978/11", MONTH),
        ("11/1978", MONTH),
        ("11.1978", MONTH),
        ("1978-11-00", MONTH),
        ("1978-11-00T00:00:00Z", MONTH),
        ("19781100", MONTH),
        ("00111978", MONTH),
        ("00/11/1978", MONTH),
        ("11/00/1978", MONTH),
        ("1978-11-XX", MONTH),
        ("xx nov 1978", MONTH),
        ("1978-11-??", MONTH),
        ("Nov 1978", MONTH),
        ("November, 1978", MONTH),
        ("1978 novembre", MONTH),
        ("noviembre de 1978", MONTH),
        ("1978年11月", MONTH),
        ("2026-11", "2026-11-00"),
        ("2026", "2026-00-00"),
        ("1970", "1970-00-00"),  # the epoch is a day; its year is a year
        ("1978-11-12|1978-00-00", DAY),
    ],
)
def test_what_is_known_is_kept(text: str, expected: str) -> None:
    assert read(text) == expected
    assert read(expected) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0000-00-00", ReasonCode.INVALID_DATE),
        ("00-00", ReasonCode.INVALID_DATE),
        ("00/00", ReasonCode.INVALID_DATE),
        ("0000", ReasonCode.INVALID_DATE),
        ("xx/xx/xxxx", ReasonCode.INVALID_DATE),
        ("1978-13", ReasonCode.INVALID_DATE),
        ("1978-13-00", ReasonCode.INVALID_DATE),
        ("13/1978", ReasonCode.INVALID_DATE),
        ("19781300", ReasonCode.INVALID_DATE),
        ("1978-00-32", ReasonCode.INVALID_DATE),
        ("1978-11-31", ReasonCode.INVALID_DATE),  # a mistake, not a day left out
        ("12 foo 1978", ReasonCode.INVALID_DATE),
        ("foo 1978", ReasonCode.INVALID_DATE),
        ("born 1978", ReasonCode.INVALID_DATE),
        ("1978-1979", ReasonCode.INVALID_DATE),
        ("1978 1978", ReasonCode.INVALID_DATE),
        ("1978-11-00|1978-12-00", ReasonCode.INVALID_DATE),
        ("11/78", ReasonCode.INVALID_DATE),
        ("00/11/78", ReasonCode.INVALID_DATE),
        ("78", ReasonCode.INVALID_DATE),
        ("197811", ReasonCode.INVALID_DATE),  # or the 19th of a month
        ("-1978", ReasonCode.INVALID_DATE),
        ("5 Nov", ReasonCode.INVALID_DATE),
        ("1234", ReasonCode.INVALID_DATE),
        ("1899", ReasonCode.INVALID_DATE),
        ("1900", ReasonCode.PLACEHOLDER),
        ("01/1900", ReasonCode.PLACEHOLDER),
        ("1900-00-00", ReasonCode.PLACEHOLDER),
        ("1901-01-00", ReasonCode.PLACEHOLDER),
        ("2027", ReasonCode.DATE_IN_FUTURE),
        ("2026-12", ReasonCode.DATE_IN_FUTURE),
        ("9999-00-00", ReasonCode.DATE_IN_FUTURE),
        ("9999-99-99", ReasonCode.DATE_IN_FUTURE),
    ],
)
def test_what_is_no_part_of_a_date_is_refused(text: str, reason: ReasonCode) -> None:
    assert read(text) == reason


@pytest.mark.parametrize(
    ("x", "y", "level"),
    [
        (YEAR, YEAR, "same_year"),
        (YEAR, MONTH, "same_year"),
        (YEAR, DAY, "same_year"),
        (MONTH, MONTH, "same_month"),
        (MONTH, DAY, "same_month"),
        (MONTH, OTHER_DAY, "year"),
        (MONTH, "1979-11-12", "year"),
        (YEAR, "1979-01-01", "year"),
        (YEAR, "1977-00-00", "year"),
        (YEAR, "1988-00-00", "different"),
        (MONTH, "1976-11-12", "different"),
        (YEAR, "1950-11-12", "age_gap"),
        (MONTH, "2001-11-00", "age_gap"),
        (DAY, DAY, "exact"),
    ],
)
def test_levels(x: str, y: str, level: str) -> None:
    assert births((x,), (y,), model()).level == births((y,), (x,), model()).level == level


def test_of_two_readings_the_one_that_fits_counts() -> None:
    assert births(("1978-11-12", "1978-12-11"), (MONTH,), model()).level == "same_month"


def test_a_part_says_less_than_the_whole_and_another_year_speaks_against() -> None:
    weight = {name: level.weight for name, level in model().levels["date_of_birth"].items()}
    assert 0 < weight["same_year"] < weight["same_month"] < weight["exact"] - 4
    household = {name: level.household for name, level in model().levels["date_of_birth"].items()}
    assert 0 < household["same_year"] < household["same_month"] < household["exact"]
    assert births((YEAR,), ("1990-11-12",), model()).weight < -5


def canonical(**traits: str) -> CanonicalRecord:
    return canonicalize({}, traits, policy(), region="US", today=TODAY)


def test_no_key_is_made_of_a_part_as_of_a_date() -> None:
    whole = {MatchKeyKind.DATE_OF_BIRTH, MatchKeyKind.NAME_DATE_OF_BIRTH}

    def kinds(born: str) -> set[MatchKeyKind]:
        made = person({}, first_name="Ada", last_name="Lovelace", city="Hull", date_of_birth=born)
        return {key.kind for key in made.arrival.keys}

    assert whole <= kinds(DAY)
    for part in (YEAR, MONTH):
        assert not whole & kinds(part)
        assert MatchKeyKind.CITY_YEAR in kinds(part)


def test_a_name_and_a_year_are_not_one_person_wherever_they_come() -> None:
    told = {"first_name": "John", "last_name": "Smith"}
    assert canonical(**told, date_of_birth=DAY).is_distinct
    part = canonical(**told, date_of_birth="1978")
    assert not part.is_distinct
    assert not part.is_empty


def test_fits_and_is_whole() -> None:
    for part, born in ((YEAR, MONTH), (YEAR, DAY), (MONTH, DAY), (MONTH, f"{DAY}|1978-12-11")):
        assert fits(part, born), (part, born)
    for part, born in (
        (MONTH, YEAR), (YEAR, YEAR), (MONTH, OTHER_DAY), (DAY, DAY), (YEAR, "1979-11-12"), (DAY, MONTH),
    ):  # fmt: skip
        assert not fits(part, born), (part, born)
    assert [is_whole(b) for b in (YEAR, MONTH, DAY, f"{DAY}|1978-12-11", "2000-10-10")] == [False] * 2 + [
        True
    ] * 3


def test_a_part_of_a_known_date_is_no_second_opinion() -> None:
    assert telling(sorted([(YEAR,), (MONTH,), (DAY,), ("1979-00-00",)])) == ((DAY,), ("1979-00-00",))
    sides = [
        side(
            [person({}, first_name="Ada", last_name="Lovelace", city="Hull", date_of_birth=b).arrival.record]
        )
        for b in (YEAR, DAY, MONTH)
    ]
    assert join(sides).births == ((DAY,),)
    assert join([join(sides[::2]), sides[1]]).births == ((DAY,),)
    assert join(sides[::2]).births == ((MONTH,),)


def test_the_trait_holds_the_canonical_form() -> None:
    assert canonical(last_name="Lovelace", date_of_birth="Nov 1978").traits[Trait.DATE_OF_BIRTH] == MONTH


def test_a_common_name_and_a_year_are_a_question_and_a_rare_name_and_a_year_an_answer() -> None:
    def confidence(**told: str) -> float:
        one = side([person({}, **told, date_of_birth="1978").arrival.record])
        return compare(one, one, model(), policy()).confidence

    assert policy().review < confidence(full_name="John Smith") < policy().auto_merge
    assert confidence(full_name="Zbigniew Kowalczykowski") > policy().auto_merge

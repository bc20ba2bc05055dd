"""How alike two names are."""

from __future__ import annotations

import pytest

from pipeline.identity.person import PersonName, names
from pipeline.identity.similarity import employers, lines
from tests.support.people import model


def levels(a: tuple[str, str], b: tuple[str, str], middle: str = "") -> tuple[str | None, str | None]:
    """The levels of given name and surname; `middle` is the second one's middle name."""
    one, other = PersonName(a[0], "", a[1], ""), PersonName(b[0], middle, b[1], "")
    found = names(one, other, model())
    assert found == names(other, one, model())
    given, family, _, _ = found
    return given and given.level, family and family.level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("kristen", "kristin", "sound"),
        ("margaret", "peggie", "nickname"),
        ("robert", "bob", "nickname"),
        ("mohammed", "mhd", "nickname"),
        # both exist, and sound different
        ("mark", "marsha", "other_name"),
        ("darla", "darlene", "other_name"),
        # short names that sound the same are mixed up, and are two names all the same
        ("john", "joan", "alike"),
        # a common beginning is no misspelling
        ("darla", "darletta", "alike"),
        ("theodore", "theodroe", "close"),
        ("theodore", "xavier", "different"),
    ],
)
def test_given_names(one: str, other: str, level: str) -> None:
    assert levels((one, ""), (other, ""))[0] == level


def test_a_surname_kept_as_a_middle_name_is_part_of_the_name() -> None:
    assert levels(("susan", "meyer"), ("susan", "thomas"), "meyer") == ("exact", "part")
    assert levels(("susan", "meyer"), ("susan", "thomas"), "ann") == ("exact", "different")


def test_names_the_wrong_way_round() -> None:
    assert levels(("harley", "kaur"), ("kaur", "harley")) == ("swapped", "swapped")


def test_a_name_whose_words_stand_elsewhere_in_the_other() -> None:
    worldwide = ("universal", "worldwide")
    assert levels(("worldwide", "exports"), worldwide, "exports") == ("swapped", "part")
    assert levels(("india", "exports"), worldwide, "exports") == ("different", "part")
    assert levels(("worldwide", "imports"), worldwide, "exports") == ("different", "different")
    assert levels(("maria", "garcia"), ("ana", "maria"), "garcia") == ("swapped", "part")
    assert levels(("maria", "garcia"), ("maria", "lopez"), "garcia") == ("exact", "part")


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("ann", "ann", "exact"),
        ("pavlovich", "p", "initial"),
        ("pavlovich", "pavlovic", "close"),
        ("pavlovich", "paulavich", "alike"),  # one alphabet written two ways in another
        ("pavlovich", "ann", "different"),
    ],
)
def test_middle_names(one: str, other: str, level: str) -> None:
    for x, y in ((one, other), (other, one)):
        found = names(PersonName("a", x, "b", ""), PersonName("a", y, "b", ""), model())[2]
        assert found is not None
        assert found.level == level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("+14812856234", "+14812856234", "exact"),
        ("+14812856234", "+74812856234", "national"),  # 481-285-6234, the country guessed
        ("+14936202565", "+914936202565", "national"),
        ("+12125550143", "+17735550143", "tail"),
        ("+12125550143", "+12125550144", "close"),
        ("+12125550143", "+12124449876", "different"),
    ],
)
def test_lines(one: str, other: str, level: str) -> None:
    assert lines(one, other, model()).level == lines(other, one, model()).level == level


def test_an_employer_by_its_short_name() -> None:
    assert employers("universal exports", "universal exports worldwide", model()).level == "exact"
    assert employers("universal", "universe", model()).level == "different"

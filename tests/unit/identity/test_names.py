"""Names of people as they are written in many countries."""

from __future__ import annotations

import pytest

from pipeline.codes import ReasonCode
from pipeline.identity.model import Issue, Trait
from pipeline.identity.names import family_name, full_name, given_name, middle_name
from tests.unit.identity.test_normalize import canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada King Lovelace Ph.D.", ("ada", "king", "lovelace", "")),
        ("Prof. Dr. Anna Weiß", ("anna", "", "weiss", "")),
        ("Dr. med. Hans Meier", ("hans", "", "meier", "")),
        ("Mr.John Smith", ("john", "", "smith", "")),
        ("Mr. & Mrs. Smith", ("", "", "smith", "")),
        ("Mr and Mrs John Smith", ("john", "", "smith", "")),
        ("Sr. Juan Pérez", ("juan", "", "perez", "")),
        ("Don Smith", ("don", "", "smith", "")),
        ("Don Diego de la Vega", ("diego", "", "de la vega", "")),
        ("John E Smith", ("john", "e", "smith", "")),
        ("John O Smith", ("john", "o", "smith", "")),
        ("J.R.R.Tolkien", ("j", "r r", "tolkien", "")),
        ("J.R. Smith", ("j", "r", "smith", "")),
        ("JR Smith", ("jr", "", "smith", "")),
        ("John Smith III", ("john", "", "smith", "iii")),
        ("John Smith, Jr.", ("john", "", "smith", "jr")),
        ("John Smith, PhD, MBA", ("john", "", "smith", "")),
        ("Smith, Jr., John", ("john", "", "smith", "jr")),
        ("Smith, John A., Jr.", ("john", "a", "smith", "jr")),
        ("João da Silva Filho", ("joao", "", "da silva", "jr")),
        ("Agostinho Neto", ("agostinho", "", "neto", "")),
        ("Robert (Bob) Smith", ("robert", "bob", "smith", "")),
        ('Robert "Bob" J. Smith', ("robert", "j bob", "smith", "")),
        ("Robert 'Bob' Smith", ("robert", "bob", "smith", "")),
        ("Mary Smith (née Jones)", ("mary", "jones", "smith", "")),
        ("Mary Smith geb. Müller", ("mary", "muller", "smith", "")),
        ("Mary Smith (deceased)", ("mary", "", "smith", "")),
        ("Anna Müller-Lüdenscheidt", ("anna", "", "muller ludenscheidt", "")),
        ("Jean-Pierre Dupont", ("jean pierre", "", "dupont", "")),
        ("DUPONT Jean-Pierre", ("jean pierre", "", "dupont", "")),
        ("Jean-Pierre DUPONT", ("jean pierre", "", "dupont", "")),
        ("JEAN DUPONT", ("jean", "", "dupont", "")),
        ("José Ortega y Gasset", ("jose", "", "ortega gasset", "")),
        ("Otto von und zu Guttenberg", ("otto", "", "von und zu guttenberg", "")),
        ("Ahmed bin Salman al-Saud", ("ahmed", "bin salman", "al saud", "")),
        ("Ronald Mc Donald", ("ronald", "", "mcdonald", "")),
        ("Jean Saint Pierre", ("jean", "", "st pierre", "")),
        ("欧阳修", ("xiu", "", "ouyang", "")),
        ("山田 太郎", ("tailang", "", "shantian", "")),
        ("김철수", ("cheolsu", "", "kim", "")),
        ("남궁민수", ("minsu", "", "namgung", "")),
        ("ジョン・スミス", ("jiyon", "", "sumisu", "")),
        ("ヤマダ タロウ", ("tarou", "", "yamada", "")),
        ("Jo\u200bhn Smith", ("john", "", "smith", "")),
        ("Jose\u0301 Garci\u0301a", ("jose", "", "garcia", "")),
        ("ﬁona İŞIK", ("fiona", "", "isik", "")),
    ],
)
def test_full_names(text: str, expected: tuple[str, str, str, str]) -> None:
    assert tuple(full_name(text)) == expected


def test_two_surnames_where_a_country_has_them() -> None:
    assert canonical(traits={"full_name": "Gabriel García Márquez"}).traits[Trait.LAST_NAME] == "marquez"
    spaniard = {"full_name": "Juan Carlos de la Cruz Pérez", "country": "España"}
    assert canonical(traits=spaniard).traits == {
        Trait.FIRST_NAME: "juan", Trait.MIDDLE_NAME: "carlos", Trait.LAST_NAME: "de la cruz perez", Trait.COUNTRY: "ES",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "first", "middle", "suffix"),
    [
        ("Robert J.", "robert", "j", ""),
        ("J.R.", "j", "r", ""),
        ("JR", "jr", "", ""),
        ("Robert (Bob)", "robert", "bob", ""),
        ("Maria Luis", "maria luis", "", ""),
        ("Morris II", "morris", "", "ii"),
        ("Sir Elton", "elton", "", ""),
    ],
)
def test_given_names(text: str, first: str, middle: str, suffix: str) -> None:
    found = given_name(text)
    assert (found.first, found.middle, found.suffix) == (first, middle, suffix)


@pytest.mark.parametrize(
    ("text", "last", "suffix"),
    [
        ("O'Hare", "ohare", ""),
        ("O Hare", "ohare", ""),
        ("O´Hare", "ohare", ""),
        ("Mac Donald", "macdonald", ""),
        ("Saint-Exupéry", "st exupery", ""),
        ("García y Márquez", "garcia marquez", ""),
        ("Silva Neto", "silva", "iii"),
        ("Neto", "neto", ""),
        ("Sr", "sr", ""),
        ("김", "kim", ""),
    ],
)
def test_surnames(text: str, last: str, suffix: str) -> None:
    found = family_name(text)
    assert (found.last, found.suffix) == (last, suffix)


def test_a_generation_behind_a_middle_name_is_none() -> None:
    assert middle_name("Lee Jr.") == ("", "lee", "", "jr")


@pytest.mark.parametrize(
    ("native", "romanised"),
    [
        ("علي", "ali"),
        ("فاطمة", "fatma"),
        ("يوسف", "yusf"),
        ("Папандреу", "papandreu"),
        ("Παπανδρέου", "papandreou"),
    ],
)
def test_scripts_come_close_to_what_they_sound_like(native: str, romanised: str) -> None:
    assert family_name(native).last == romanised


@pytest.mark.parametrize(
    "value",
    [
        "Mr",
        "Mr. Customer",
        "Test Customer",
        "xxx",
        "XXXX",
        "asdf",
        "qwertz",
        "abc",
        "123",
        "???",
        "Unknown Unknown",
    ],
)
def test_stand_ins_are_told_and_name_nobody(value: str) -> None:
    found = canonical(traits={"full_name": value, "city": "Hull"})
    assert found.traits == {Trait.CITY: "hull"}
    assert set(found.issues) == {Issue("traits.full_name", ReasonCode.PLACEHOLDER)}


def test_a_stand_in_for_a_part_leaves_the_rest() -> None:
    found = canonical(traits={"full_name": "Unknown Smith"})
    assert found.traits == {Trait.LAST_NAME: "smith"}
    assert found.issues == (Issue("traits.full_name", ReasonCode.PLACEHOLDER),)


@pytest.mark.parametrize("value", ["Wert", "Don", "Bo", "Ng", "III"])
def test_odd_names_are_names(value: str) -> None:
    assert canonical(traits={"last_name": value}).traits == {Trait.LAST_NAME: value.lower()}

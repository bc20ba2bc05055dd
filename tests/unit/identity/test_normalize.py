"""What an event says, in canonical form; what cannot be used becomes an issue with a reason."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import ReasonCode
from pipeline.configuration import load_policy
from pipeline.identity.model import CanonicalRecord, IdentifierType, Issue, Trait
from pipeline.identity.normalize import MAX_VALUE, TRAIT_NAMES, canonicalize, deserialize, serialize
from pipeline.settings import Settings

POLICY = load_policy(Settings())
TODAY = date(2026, 1, 1)


def canonical(
    identifiers: dict[str, list[str]] | None = None, traits: dict[str, str] | None = None, region: str = "US"
) -> CanonicalRecord:
    return canonicalize(identifiers or {}, traits or {}, POLICY, region=region, today=TODAY)


def one(kind: str, value: str, region: str = "US") -> str | ReasonCode:
    found = canonical({kind: [value]}, region=region)
    return found.identifiers[0].value if found.identifiers else found.issues[0].reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("(702) 919-1300", "+17029191300"),
        ("1-702-919-1300", "+17029191300"),
        ("+39 0352 6553537", "+3903526553537"),
        ("\u202a+1 702 919 1300\u202c", "+17029191300"),
        ("７０２９１９１３００", "+17029191300"),
        ("0000000000", ReasonCode.PLACEHOLDER),
        ("+1 555 555 5555", ReasonCode.PLACEHOLDER),
        ("1234567890", ReasonCode.PLACEHOLDER),
        ("221-2412", ReasonCode.INVALID_PHONE),
        ("call me", ReasonCode.INVALID_PHONE),
        ("n/a", ReasonCode.PLACEHOLDER),
        ("(415) 555-0123 x456", "+14155550123"),
        ("415-555-0123 ext. 456", "+14155550123"),
        ("Tel: 415-555-0123 (home)", "+14155550123"),
        ("415 555 0123 mobile", "+14155550123"),
        ("tel:+1-415-555-0123", "+14155550123"),
        ("1-800-FLOWERS", "+18003569377"),
        ("7029191300.0", "+17029191300"),
        ("011 49 30 1234567", "+49301234567"),
        ("0049 30 1234567", "+49301234567"),
        ("+49 (0)30 1234567", "+49301234567"),
        ("+44 020 7946 0958", "+442079460958"),
        ("447911123456", "+447911123456"),
        ("٧٠٢٩١٩١٣٠٠", "+17029191300"),
        ("1212121212", ReasonCode.PLACEHOLDER),
        ("123-123-1234", ReasonCode.PLACEHOLDER),
        ("415-555-5555", ReasonCode.PLACEHOLDER),
        ("911", ReasonCode.INVALID_PHONE),
        ("7.02919E+09", ReasonCode.INVALID_PHONE),
        ("\u200b", ReasonCode.INVALID_IDENTIFIER),
        ("9" * (MAX_VALUE + 1), ReasonCode.TOO_LONG),
    ],
)
def test_phones(value: str, expected: str | ReasonCode) -> None:
    assert one("phone", value) == expected


def test_a_phone_belongs_to_the_country_of_the_event() -> None:
    found = canonical({"phone": ["030 1234567"]}, {"country": "Germany"})
    assert found.identifiers[0].value == "+49301234567"


def test_a_country_that_is_none_leaves_the_default_region() -> None:
    assert canonical({"phone": ["702-919-1300"]}, {"country": "ZZ"}).identifiers[0].value == "+17029191300"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("415 555 0101 / 415 555 0102", {"+14155550101", "+14155550102"}),
        ("+1 415 555 0101; +1 415 555 0102", {"+14155550101", "+14155550102"}),
        ("4155550101 or 4155550102", {"+14155550101", "+14155550102"}),
        ("030/12345678", {"+493012345678"}),
        ("+1 415 555 0101;ext=12", {"+14155550101"}),
    ],
)
def test_several_numbers_in_one_field(value: str, expected: set[str]) -> None:
    region = "DE" if value.startswith("0") else "US"
    assert {i.value for i in canonical({"phone": [value]}, region=region).identifiers} == expected


def test_a_number_of_home_is_known_abroad() -> None:
    traveller = canonical({"phone": ["(702) 919-1300"]}, {"country": "France"})
    assert traveller.identifiers[0].value == "+17029191300"


@pytest.mark.parametrize(
    "value",
    [
        "whatsapp:+14155550101",
        "14155550101@c.us",
        "14155550101:12@s.whatsapp.net",
        "https://wa.me/14155550101",
        "https://api.whatsapp.com/send?phone=14155550101&text=hi",
    ],
)
@pytest.mark.parametrize("region", ["US", "DE"])
def test_a_whatsapp_id_is_its_phone_number(value: str, region: str) -> None:
    assert one("whatsapp", value, region) == "+14155550101"


def test_a_whatsapp_id_that_hides_the_number_stays_an_id() -> None:
    assert one("whatsapp", "123456789012345@lid") == "lid:123456789012345"


def test_a_whatsapp_id_abroad_needs_no_plus() -> None:
    assert one("whatsapp", "491701234567") == "+491701234567"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" Ada.Lovelace@Example.ORG ", "ada.lovelace@example.org"),
        ("Ada <ada+shop@example.org>", "ada@example.org"),
        ("a.d.a@googlemail.com", "ada@gmail.com"),
        ("a.d.a@example.org", "a.d.a@example.org"),
        ("ada@münchen.de", "ada@xn--mnchen-3ya.de"),
        ("mailto:ada@example.org", "ada@example.org"),
        ("mailto:ada@example.org?subject=hi", "ada@example.org"),
        ("ada@example.org.,", "ada@example.org"),
        ("ada @ example.org", "ada@example.org"),
        ("ada@example.org (work)", "ada@example.org"),
        ('"ada"@example.org', "ada@example.org"),
        ('"ada l"@example.org', ReasonCode.INVALID_EMAIL),
        ("ada-shop@yahoo.com", "ada@yahoo.com"),
        ("ada-shop@example.org", "ada-shop@example.org"),
        ("Ada@ProtonMail.com", "ada@proton.me"),
        ("ada@gmial.com", "ada@gmial.com"),
        ("ada@10.0.0.1", ReasonCode.INVALID_EMAIL),
        ("İrem@example.org", "irem@example.org"),
        ("test@test.com", ReasonCode.PLACEHOLDER),
        ("noreply@shop.example", ReasonCode.PLACEHOLDER),
        ("ada.example.org", ReasonCode.INVALID_EMAIL),
        ("ada@", ReasonCode.INVALID_EMAIL),
        ("@example.org", ReasonCode.INVALID_EMAIL),
        ("a b@example.org", ReasonCode.INVALID_EMAIL),
        ("ada@-example.org", ReasonCode.INVALID_EMAIL),
        (f"{'a' * 250}@example.org", ReasonCode.TOO_LONG),
    ],
)
def test_emails(value: str, expected: str | ReasonCode) -> None:
    assert one("email", value) == expected


@pytest.mark.parametrize(
    "value", ["ada@x.org; bo@y.org", "Ada <ada@x.org>, Bo <bo@y.org>", "ada@x.org bo@y.org"]
)
def test_several_addresses_in_one_field(value: str) -> None:
    assert {i.value for i in canonical({"email": [value]}).identifiers} == {"ada@x.org", "bo@y.org"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" AbC-1 ", "AbC-1"),
        ("99", "99"),
        ("0000", ReasonCode.PLACEHOLDER),
        ("00000000-0000-0000-0000-000000000000", ReasonCode.PLACEHOLDER),
        ("9999", ReasonCode.PLACEHOLDER),
        ("ffffffff-ffff", ReasonCode.PLACEHOLDER),
        ("123456789", ReasonCode.PLACEHOLDER),
        ("NULL", ReasonCode.PLACEHOLDER),
        ("--", ReasonCode.PLACEHOLDER),
    ],
)
def test_opaque_ids_keep_their_case(value: str, expected: str | ReasonCode) -> None:
    assert one("cookie_id", value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1978-11-12", "1978-11-12"),
        ("19781112", "1978-11-12"),
        ("12/11/1978", "1978-11-12|1978-12-11"),
        ("12/12/1978", "1978-12-12"),
        ("20/8/1991", "1991-08-20"),
        ("8/20/91", "1991-08-20"),
        ("Mar 1 1970", "1970-03-01"),
        ("15-Mar-92", "1992-03-15"),
        ("24-May-11", "2011-05-24"),
        ("1st June 1985", "1985-06-01"),
        ("1985-06-01T00:00:00Z", "1985-06-01"),
        ("1985-05-31T22:00:00.000Z", "1985-05-31|1985-06-01"),
        ("1978-11-12|1978-12-11", "1978-11-12|1978-12-11"),
        ("12.11.78", "1978-11-12|1978-12-11"),
        ("12/31/1978 12:00:00 AM", "1978-12-31"),
        ("12311978", "1978-12-31"),
        ("19781112T000000", "1978-11-12"),
        ("Sat, 11 Nov 1978", "1978-11-11"),
        ("November 11th, 1978", "1978-11-11"),
        ("1978 Nov 11", "1978-11-11"),
        ("11NOV1978", "1978-11-11"),
        ("3. März 1978", "1978-03-03"),
        ("11 de noviembre de 1978", "1978-11-11"),
        ("1er août 1978", "1978-08-01"),
        ("1978年11月12日", "1978-11-12"),
        ("28806", "1978-11-12"),
        ("28806.0", "1978-11-12"),
        ("279676800000", "1978-11-12"),
        ("29/02/1980", "1980-02-29"),
    ],
)
def test_dates_of_birth(value: str, expected: str) -> None:
    assert canonical(traits={"date_of_birth": value}).traits == {Trait.DATE_OF_BIRTH: expected}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("2031-01-01", ReasonCode.DATE_IN_FUTURE),
        ("1900-01-01", ReasonCode.PLACEHOLDER),
        ("0001-01-01T00:00:00", ReasonCode.PLACEHOLDER),
        ("9999-12-31", ReasonCode.PLACEHOLDER),
        ("07/71/1958", ReasonCode.INVALID_DATE),
        ("1979-02-29", ReasonCode.INVALID_DATE),
        ("4155550101", ReasonCode.INVALID_DATE),
        ("soon", ReasonCode.INVALID_DATE),
        ("1801-05-05", ReasonCode.INVALID_DATE),
    ],
)
def test_refused_dates_of_birth(value: str, reason: ReasonCode) -> None:
    assert canonical(traits={"date_of_birth": value}).issues == (Issue("traits.date_of_birth", reason),)


@pytest.mark.parametrize(
    ("traits", "first", "middle", "last", "suffix"),
    [
        ({"full_name": "Dr. Ada King Lovelace PhD"}, "ada", "king", "lovelace", None),
        ({"full_name": "LOVELACE, Ada King"}, "ada", "king", "lovelace", None),
        ({"full_name": "Ludwig van Beethoven"}, "ludwig", None, "van beethoven", None),
        ({"full_name": "王杰"}, "jie", None, "wang", None),
        ({"full_name": "ВАСИЛЬЕВ, Александр Павлович"}, "aleksandr", "pavlovich", "vasilev", None),
        ({"full_name": "Cher"}, None, None, "cher", None),
        ({"first_name": "José", "last_name": "O'Hare Jr."}, "jose", None, "ohare", "jr"),
        ({"first_name": "David", "last_name": "Dobbins Senior"}, "david", None, "dobbins", "sr"),
        (
            {"first_name": "Zoë 🎉", "last_name": "Müller-Lüdenscheidt"},
            "zoe",
            None,
            "muller ludenscheidt",
            None,
        ),
    ],
)
def test_names(
    traits: dict[str, str], first: str | None, middle: str | None, last: str | None, suffix: str | None
) -> None:
    found = canonical(traits=traits).traits
    parts = (Trait.FIRST_NAME, Trait.MIDDLE_NAME, Trait.LAST_NAME, Trait.NAME_SUFFIX)
    assert tuple(found.get(part) for part in parts) == (first, middle, last, suffix)


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        (
            {"address": "123 Main Street, Apt 4, Las Vegas NV 89132-1234"},
            ("123", "main st", "4", "las vegas", "nv", "89132", None),
        ),
        (
            {"address": "445 Overpass Rd San Ramon"},
            ("445", "overpass rd", None, "san ramon", None, None, None),
        ),
        (
            {"address": "Hardenbergstraße 87, 66879, Germany"},
            ("87", "hardenberg st", None, None, None, "66879", "DE"),
        ),
        (
            {"address": "18 Danver Place, Loughborough, Leicestershire, LE11 1UU, United Kingdom"},
            ("18", "danver pl", None, "loughborough", None, "LE111UU", "GB"),
        ),
        ({"street": "P.O. Box 12987"}, (None, "po box 12987", None, None, None, None, None)),
        (
            {"street_number": "12", "street": "North Elm Avenue", "city": "Hull", "postcode": "hu1 2ab"},
            ("12", "n elm ave", None, "hull", None, "HU12AB", None),
        ),
    ],
)
def test_addresses(traits: dict[str, str], expected: tuple[str | None, ...]) -> None:
    found = canonical(traits=traits).traits
    parts = (
        Trait.STREET_NUMBER,
        Trait.STREET,
        Trait.UNIT,
        Trait.CITY,
        Trait.STATE,
        Trait.POSTCODE,
        Trait.COUNTRY,
    )
    assert tuple(found.get(part) for part in parts) == expected


def test_national_ids_keep_their_kind() -> None:
    found = canonical(traits={"national_id": "ssn:294-66-9999|passport:C 1234|ssn:000-00-0000"})
    assert found.traits == {Trait.NATIONAL_ID: "passport:c1234|ssn:294669999"}
    assert found.issues == (Issue("traits.national_id", ReasonCode.PLACEHOLDER),)


@pytest.mark.parametrize(
    "value", ["123-45-6789", "999-99-9999", "078-05-1120", "***-**-6789", "xxx-xx-6789", "---"]
)
def test_a_national_id_that_nobody_has_is_told(value: str) -> None:
    found = canonical(traits={"national_id": f"ssn:{value}"})
    assert (found.traits, found.issues) == ({}, (Issue("traits.national_id", ReasonCode.PLACEHOLDER),))


def test_kinds_of_national_ids_have_one_name() -> None:
    found = canonical(
        traits={"national_id": "Driving Licence: C-12 34|Social Security Number: 294669999.0|777"}
    )
    assert found.traits == {Trait.NATIONAL_ID: ":777|drivers_license:c1234|ssn:294669999"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Weiblich", "f"), ("Hombre", "m"), ("2", "f"), ("1.0", "m"), ("non-binary", "x"), ("divers", "x")],
)
def test_genders(value: str, expected: str) -> None:
    assert canonical(traits={"gender": value}).traits == {Trait.GENDER: expected}


def test_a_gender_that_is_not_understood_is_told() -> None:
    assert canonical(traits={"gender": "U"}).issues == (Issue("traits.gender", ReasonCode.PLACEHOLDER),)
    assert canonical(traits={"gender": "Taurus"}).issues == (
        Issue("traits.gender", ReasonCode.INVALID_VALUE),
    )


def test_an_employer_is_known_without_its_legal_form() -> None:
    assert canonical(traits={"employer": "Acme Exports, Inc."}).traits == {Trait.EMPLOYER: "acme exports"}


def test_an_issue_names_the_field_and_never_the_value() -> None:
    found = canonical({"fax": ["1"], "ada@example.org": ["x"]}, {"shoe_size": "43"})
    assert found.issues == (
        Issue("traits.shoe_size", ReasonCode.UNKNOWN_FIELD),
        Issue("identifiers.fax", ReasonCode.UNKNOWN_FIELD),
        Issue("identifiers.*", ReasonCode.UNKNOWN_FIELD),
    )


def test_a_placeholder_name_is_kept_out() -> None:
    found = canonical(traits={"first_name": "N/A", "last_name": "Lovelace"})
    assert found.traits == {Trait.LAST_NAME: "lovelace"}
    assert found.issues == (Issue("traits.first_name", ReasonCode.PLACEHOLDER),)


def test_a_record_that_tells_nobody_apart_is_empty() -> None:
    assert canonical(traits={"city": "Hull", "gender": "f"}).is_empty
    assert canonical(traits={"first_name": "John", "last_name": "Smith"}).is_empty
    assert canonical(traits={"date_of_birth": "1980-01-02", "gender": "f"}).is_empty
    assert not canonical(traits={"last_name": "Smith", "date_of_birth": "1980-01-02"}).is_empty


def test_what_two_people_may_share_is_one_record_an_event() -> None:
    shared = canonical(traits={"city": "Hull", "date_of_birth": "1980-01-02"})
    assert not shared.is_empty
    assert serialize(shared, "a") != serialize(shared, "b")
    assert deserialize(serialize(shared, "a")) == (shared.identifiers, shared.traits)
    told = canonical(traits={"last_name": "Smith", "date_of_birth": "1980-01-02"})
    assert serialize(told, "a") == serialize(told, "b")


def test_equal_content_has_equal_bytes() -> None:
    a = canonical({"phone": ["702-919-1300"], "email": ["B@x.org"]}, {"city": "Hull", "first_name": "Bo"})
    b = canonical(
        {"email": ["b@x.org"], "phone": ["+17029191300", "(702)9191300"]},
        {"first_name": "BO", "city": "hull "},
    )
    assert serialize(a) == serialize(b)
    assert deserialize(serialize(a)) == (a.identifiers, a.traits)


texts = st.text(max_size=60)


@given(
    st.dictionaries(st.sampled_from([t.value for t in IdentifierType]), st.lists(texts, max_size=3)),
    st.dictionaries(st.sampled_from(sorted(TRAIT_NAMES)), texts),
)
def test_nothing_raises_and_canonical_is_canonical(ids: dict[str, list[str]], traits: dict[str, str]) -> None:
    found = canonical(ids, traits)
    assert deserialize(serialize(found)) == (found.identifiers, found.traits)
    again = canonical(
        {t.value: [i.value for i in found.identifiers if i.type is t] for t in IdentifierType},
        {},
    )
    assert again.identifiers == found.identifiers

"""Postal addresses as they are written in many countries."""

from __future__ import annotations

import pytest

from pipeline.codes import ReasonCode
from pipeline.identity.addresses import of_traits
from pipeline.identity.model import Issue
from pipeline.identity.place_names import country, state
from pipeline.identity.whole_address import whole
from tests.unit.identity.test_normalize import canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # number|street|unit|city|state|postcode|country
        ("123 Main St Apt 4B Springfield IL 62701", "123|main st|4b|springfield|il|62701|"),
        ("123 Main St Springfield Illinois 62701", "123|main st||springfield|il|62701|"),
        ("123 1/2 Main St", "123-1/2|main st|||||"),
        ("350 5th Ave, New York", "350|5th ave||new york|||"),
        ("350 Fifth Ave, New York, New York 10118", "350|5th ave||new york|ny|10118|"),
        ("80 Delaware Ave SE Washington DC 40040", "80|delaware ave se||washington|dc|40040|"),
        ("Suite 900, 1450 N City Rd, Arlington, 23208", "1450|n city rd|900|arlington||23208|"),
        ("1231 Las Vegas Blvd, Penthouse Suite", "1231|las vegas blvd|ph||||"),
        (
            "Hughes Plaza, 100 Howard Hughes Way, Las Vegas, NV 89111",
            "100|howard hughes wy||las vegas|nv|89111|",
        ),
        ("Adventura Aparments 638 Downey St, Salem, OR", "638|downey st||salem|or||"),
        ("c/o John Smith, 12 Main St, Springfield, IL 62701", "12|main st||springfield|il|62701|"),
        ("PO Box 12, Springfield, IL 62701", "|po box 12||springfield|il|62701|"),
        ("12 Main St, PO Box 5, Springfield, IL 62701", "12|main st||springfield|il|62701|"),
        ("RR 2 Box 45, Smalltown, IA 50001", "|rr 2 box 45||smalltown|ia|50001|"),
        ("PSC 1234 Box 5678, APO AE 09012", "|psc 1234 box 5678||apo|ae|09012|"),
        ("Highway 101", "|hwy 101|||||"),
        ("705 Sheppard Ave, Toronto, ON M1S 1T4", "705|sheppard ave||toronto|on|M1S1T4|"),
        ("Flat 3, 12 High St, London SW1A 1AA", "12|high st|3|london||SW1A1AA|"),
        (
            "18 Danver Place, Loughborough, Leicestershire, United Kingdom, LE11 1UU",
            "18|danver pl||loughborough||LE111UU|GB",
        ),
        ("Rose Cottage, Church Lane, Little Village", "|church ln||little village|||"),
        ("3rd Floor, 12 High Street, Leeds", "12|high st|3|leeds|||"),
        ("Unit 4/12 Smith St, Richmond VIC 3121", "12|smith st|4|richmond|vic|3121|"),
        ("4/12 Smith St, Richmond VIC 3121", "12|smith st|4|richmond|vic|3121|"),
        ("12-14 Smith Street, Sydney NSW 2000", "12-14|smith st||sydney|nsw|2000|"),
        ("Level 5, Suite 501, 12 Collins St, Melbourne VIC 3000", "12|collins st|501|melbourne|vic|3000|"),
        ("Hauptstr. 5a, 10115 Berlin", "5a|haupt st||berlin||10115|"),
        ("Hauptstraße 5 a 10115 Berlin", "5a|haupt st||berlin||10115|"),
        ("Postfach 12 34, 8001 Zürich", "|po box 1234||zurich||8001|"),
        ("Bahnhofstrasse 1, CH-8001 Zürich, Schweiz", "1|bahnhof st||zurich||8001|CH"),
        ("Mariahilfer Straße 5/2/7, 1060 Wien", "5|mariahilfer st|27|wien||1060|"),
        ("Musterweg 3, 3. Stock, 1010 Wien", "3|musterweg|3|wien||1010|"),
        ("12 bis rue de Rivoli, 75001 Paris", "12bis|rue de rivoli||paris||75001|"),
        ("12 bis, rue de Rivoli 75001 Paris France", "12bis|rue de rivoli||paris||75001|FR"),
        ("BP 12, 33000 Bordeaux", "|po box 12||bordeaux||33000|"),
        ("C/ Mayor 5, 2º B, 28013 Madrid", "5|calle mayor|2b|madrid||28013|"),
        ("Calle Mayor, 5, 2º B, 28013 Madrid, España", "5|calle mayor|2b|madrid||28013|ES"),
        ("Via Roma, 12, 00184 Roma RM, Italia", "12|via roma||roma|rm|00184|IT"),
        ("Via Roma 12 int. 4, 20121 Milano (MI)", "12|via roma|4|milano|mi|20121|"),
        ("Prinsengracht 12, 1015 DK Amsterdam", "12|prinsengracht||amsterdam||1015DK|"),
        ("Herengracht 5, Amsterdam, 1071 WA, Netherlands", "5|herengracht||amsterdam||1071WA|NL"),
        ("Storgatan 5, 123 45 Stockholm", "5|storgatan||stockholm||12345|"),
        ("Marszałkowska 12/4, 00-590 Warszawa", "12|marszalkowska|4|warszawa||00590|"),
        (
            "Rua Augusta, 1500 - Apto 42 - Consolação, São Paulo - SP, 01305-100",
            "1500|rua augusta|42|sao paulo|sp|01305100|",
        ),
        ("Av. Paulista 1578, São Paulo", "1578|ave paulista||sao paulo|||"),
        ("12 MG Road, Indiranagar, Bengaluru, Karnataka 560038", "12|mg rd||bengaluru|ka|560038|"),
        ("Flat No. 5, Plot 12, MG Road, Mumbai 400 001", "12|mg rd|5|mumbai||400001|"),
        ("#321, Street 128, Phnom Penh", "321|st 128||phnom penh|||"),
        ("#01-11, HillV2, 4 Hillview Rise, 667979", "4|hillview rise|0111|||667979|"),
        ("12 Main St\nApt 4\nSpringfield, IL 62701", "12|main st|4|springfield|il|62701|"),
    ],
)
def test_whole_addresses(text: str, expected: str) -> None:
    found = whole(text.replace("\n", ", "))
    assert "|".join(found) == expected


def test_lines_are_parted_as_commas_part() -> None:
    found = canonical(traits={"address": "12 Main St\nApt 4\nSpringfield, IL 62701"})
    assert {t.value: v for t, v in found.traits.items()} == {
        "street_number": "12", "street": "main st", "unit": "4", "city": "springfield", "state": "il",
        "postcode": "62701",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"street_number": "12", "street": "12 North Elm Avenue"}, "12|n elm ave|||||"),
        ({"street": "North Elm Avenue 12"}, "12|n elm ave|||||"),
        ({"street_number": "5", "street": "42 St"}, "5|42 st|||||"),
        ({"street_number": "12.0", "street": "Elm"}, "12|elm|||||"),
        ({"street_number": "No. 5 a", "street": "Elm"}, "5a|elm|||||"),
        ({"street_number": "4/12", "street": "Elm"}, "12|elm|4||||"),
        ({"unit": "Apt 4"}, "||4||||"),
        ({"unit": "2º B"}, "||2b||||"),
        ({"unit": "1A"}, "||1a||||"),
        ({"unit": "villa rosa"}, "||villarosa||||"),
        ({"state": "Massachusetts", "postcode": "2138.0"}, "||||ma|02138|"),
        ({"postcode": "D-80331"}, "|||||80331|"),
        ({"postcode": "hu1 2ab"}, "|||||HU12AB|"),
        ({"city": "Saint Louis"}, "|||st louis|||"),
    ],
)
def test_parts_given_apart(traits: dict[str, str], expected: str) -> None:
    assert "|".join(of_traits(traits)) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("USA", "US"),
        ("The Netherlands", "NL"),
        ("Deutschland", "DE"),
        ("États-Unis", "US"),
        ("GBR", "GB"),
        ("Elbonia", "elbonia"),
    ],
)
def test_countries(text: str, code: str) -> None:
    assert country(text) == code


@pytest.mark.parametrize(
    ("text", "code"), [("Texas", "tx"), ("Calif.", "ca"), ("São Paulo", "sp"), ("Bayern", "bayern")]
)
def test_states(text: str, code: str) -> None:
    assert state(text) == code


@pytest.mark.parametrize("value", ["00000", "99999", "0000"])
def test_a_postcode_of_zeros_or_nines_is_a_stand_in(value: str) -> None:
    found = canonical(traits={"postcode": value, "city": "xxx"})
    assert found.traits == {}
    assert set(found.issues) == {
        Issue("traits.postcode", ReasonCode.PLACEHOLDER),
        Issue("traits.city", ReasonCode.PLACEHOLDER),
    }

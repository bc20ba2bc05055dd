"""The text, the page and the data of a simulation: what they say, and what they must not give away."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import orjson
import pytest

from pipeline.identity.difference import ChangeKind
from pipeline.identity.explain.weighing import Configuration
from pipeline.identity.score import confidence
from pipeline.privacy.mask import masked
from pipeline.whatif.example import Names
from pipeline.whatif.outcome import Outcome, data, what_if
from pipeline.whatif.page import page
from pipeline.whatif.source import Source
from pipeline.whatif.text import WIDTH, told
from tests.support.people import model, person, policy
from tests.unit.whatif.test_simulation import ANN, by, heavier, keyed, weight

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SECRETS = ("ann@mailbox.net", "mailbox", "Berg", "berg", "1980-01-02", "+14155550123", "quist", "Quist")
ZED = {"first_name": "Zed", "last_name": "Quist", "postcode": "94107"}
ANNS = person({"email": "ann@mailbox.net"}, **ANN), person({"device_id": "device-17"}, **ANN)
ZEDS = person({"phone": "+14155550123"}, **ZED), person({"email": "zed@mailbox.net"}, **ZED)
PEOPLE = keyed(*ANNS, *ZEDS)
SURE, LIKELY = weight(*ANNS), weight(*ZEDS)
"""Name and birth date say more than name and postcode."""
NAMES = Names(lambda record: f"row {record.hex()[:4]}", lambda customer: f"<customer of {len(customer)}>")


def outcome(other: Configuration, most: int = 5) -> Outcome:
    source = Source("a <test>", PEOPLE, NAMES, (), (), None, left_out=2)
    return what_if(source, ACTIVE, other, masked, most)


ACTIVE = by(auto_merge=confidence(LIKELY + 1), review=confidence(LIKELY - 1))
STRICT = by(
    auto_merge=confidence(SURE + 1),
    review=confidence(LIKELY - 1),
    placeholders=policy().placeholders | {"zzz"},
)
OTHER_MODEL = Configuration(heavier("address", "postcode", 12.0), ACTIVE.policy)


class Checked(HTMLParser):
    """Holds every element closed, and no script nor address."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe", "object")
        assert not {name for name, _ in attrs} & {"src", "href", "onload", "onclick"}
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open and closed at once, as in SVG."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("other", [STRICT, OTHER_MODEL, ACTIVE])
def test_the_page_stands_alone_and_gives_no_value_away(other: Configuration) -> None:
    found = page(outcome(other), NOW)
    parser = Checked()
    parser.feed(found.removeprefix("<!doctype html>"))
    assert parser.open == []
    addresses = set(re.findall(r"https?://[^\s\"'<]+", found))
    assert addresses <= {"http://www.w3.org/2000/svg"}, "the name of SVG is no address"
    assert "url(" not in found
    assert not [secret for secret in SECRETS if secret in found]
    assert "<test>" not in found
    assert "<customer" not in found
    assert "2026-03-01 12:30 UTC" in found


def test_the_page_shows_numbers_pictures_examples_and_settings() -> None:
    found = page(outcome(STRICT), NOW)
    assert "1 customer would be split into 2" in found
    assert found.count("<svg") == 3
    assert "placeholders.zzz *" in found
    assert "auto_merge" in found
    assert "a***@m***.net" in found
    assert "Left out: 2" in found


def test_no_more_examples_than_asked_for_and_the_rest_is_counted() -> None:
    assert "And 1 more" in page(outcome(STRICT, most=0), NOW)
    assert "and 1 more" in told(outcome(STRICT, most=0))


def test_the_text_is_narrow_and_gives_no_value_away() -> None:
    for other in (STRICT, OTHER_MODEL, ACTIVE):
        found = told(outcome(other))
        assert max(map(len, found.splitlines())) <= WIDTH
        assert not [secret for secret in SECRETS if secret in found]
    assert "Nothing would change" in told(outcome(ACTIVE))
    assert "customers" in told(outcome(STRICT))


def test_the_data_lists_every_change_by_ids() -> None:
    found = json.loads(orjson.dumps(data(outcome(STRICT, most=0))))
    (change,) = found["changes"]
    assert change["kind"] == "split"
    assert [len(members) for members in change["before"]] == [2]
    assert [len(members) for members in change["after"]] == [1, 1]
    assert found["customers"]["after"] == found["customers"]["before"] + 1
    assert found["examples"] == {"merge": [], "split": [], "mixed": []}
    assert not [secret for secret in SECRETS if secret in orjson.dumps(data(outcome(STRICT))).decode()]


def test_evidence_is_shown_by_either_configuration() -> None:
    found = outcome(OTHER_MODEL)
    (example,) = found.examples[ChangeKind.MERGE]
    assert example.evidence is not None
    bits = {
        e.attribute: (e.bits, then.bits)
        for e, then in zip(example.evidence.active.attributes, example.evidence.other.attributes, strict=True)
    }
    before = model().levels["address"]["postcode"].weight
    assert bits["address"] == (before, before + 12.0)
    assert sum(record.decides for customer in example.before for record in customer.records) == 2

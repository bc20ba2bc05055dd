"""Mending a message by paths."""

from __future__ import annotations

import pytest

from pipeline.dead_letters.changes import Changes, changed
from pipeline.errors import BadInput

EVENT: dict[str, object] = {
    "source": "pos",
    "identifiers": {"phone": ["1", "2"]},
    "payload": {"items": [{"sku": "a"}, {"sku": "b"}], "x": 1},
}


@pytest.mark.parametrize(
    ("path", "value", "within"),
    [
        ("source", "web", {"source": "web"}),
        ("identifiers.phone", "+1", {"identifiers": {"phone": "+1"}}),
        ("identifiers.phone.1", "+1", {"identifiers": {"phone": ["1", "+1"]}}),
        ("identifiers.phone.2", "3", {"identifiers": {"phone": ["1", "2", "3"]}}),
        ("identifiers.email", ["a@b.io"], {"identifiers": {"phone": ["1", "2"], "email": ["a@b.io"]}}),
        ("traits.first_name", "Ann", {"traits": {"first_name": "Ann"}}),
        ("payload.items.1.sku", "c", {"payload": {"items": [{"sku": "a"}, {"sku": "c"}], "x": 1}}),
        ("payload.a.b", 2.5, {"payload": {"items": [{"sku": "a"}, {"sku": "b"}], "x": 1, "a": {"b": 2.5}}}),
    ],
)
def test_a_field_is_set(path: str, value: object, within: dict[str, object]) -> None:
    assert changed(EVENT, Changes({path: value})) == {**EVENT, **within}


def test_fields_are_taken_away_before_others_are_set() -> None:
    taken = Changes({"payload.items.0.sku": "z"}, ["payload.items.0", "payload.x", "source"])
    assert changed(EVENT, taken) == {
        "identifiers": {"phone": ["1", "2"]},
        "payload": {"items": [{"sku": "z"}]},
    }


def test_what_came_is_left_as_it_is() -> None:
    before = repr(EVENT)
    changed(EVENT, Changes({"identifiers.phone.0": "9"}, ["payload.items.0"]))
    assert repr(EVENT) == before


def test_the_whole_event_replaces_what_cannot_be_read() -> None:
    assert changed(None, Changes(event={"source": "web"})) == {"source": "web"}
    with pytest.raises(BadInput, match="cannot be read"):
        changed(None, Changes({"source": "web"}))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (Changes(), "set"),
        (Changes({"source": "x"}, event={}), "event"),
        (Changes({"identifiers.phone.7": "x"}), "identifiers.phone.7"),
        (Changes({"source.name": "x"}), "source.?"),
        (Changes({"source.a.b": "x"}), "source.?.?"),
        (Changes({"": "x"}), "?"),
        (Changes({"a..b": "x"}), "?.?.?"),
        (Changes({"a." * 400 + "b": "x"}), "?." * 400 + "?"),
        (Changes(taken=["payload.y"]), "payload.?"),
        (Changes(taken=["identifiers.phone.2"]), "identifiers.phone.2"),
        (Changes(taken=["identifiers.phone.-1"]), "identifiers.phone.?"),
        (Changes(taken=["jane@mail.test"]), "?.?"),
    ],
)
def test_what_cannot_be_changed_is_named(changes: Changes, field: str) -> None:
    with pytest.raises(BadInput) as raised:
        changed(EVENT, changes)
    assert raised.value.field == field


def test_names_are_without_what_a_source_made_up() -> None:
    assert Changes({"traits.city": "x", "payload.jane@mail": 1}, ["source"]).names == [
        "payload.?",
        "source",
        "traits.city",
    ]
    assert Changes(
        taken=["payload.phones.14155550132", "jane.doe@mail.net", "payload.items.3.sku"]
    ).names == [
        "?.?.?",
        "payload.?.?",
        "payload.items.3.sku",
    ]
    assert Changes(event={"jane": 1}).names == ["event"]

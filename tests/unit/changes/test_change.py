"""What each message of the output topics is told as."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from pipeline.changes.change import Change, read_change
from pipeline.changes.kinds import MEANINGS, TOPICS, ChangeType, type_of
from pipeline.changes.wanted import Wanted, types_of
from pipeline.errors import BadInput
from pipeline.settings import Settings
from pipeline.stream.batch import Message
from schemas.codec import Codec, load_codec
from tests.support.changes import AT, linked, merge, state

ONE, OTHER = "019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10", "019c1f3a-52b4-7f3c-b6d0-1d2e3f405162"
EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec(Settings())


def told(codec: Codec, topic: str, value: dict[str, object] | None, key: str = ONE) -> Change:
    data = None if value is None else codec.encode(topic, value)
    return read_change(Message("p." + topic, 3, 17, AT, key.encode(), data), codec, "p.")


def test_a_change_is_the_whole_message_and_says_where_it_stands(codec: Codec) -> None:
    value = state(ONE, 2)
    change = told(codec, "profiles.updates", value)
    assert change.id == "profiles-updates-3-17"
    assert orjson.loads(change.body) == {
        "id": change.id,
        "type": "profile.updated",
        "timestamp": "2026-01-31T09:30:00Z",
        "profile_id": ONE,
        "version": 2,
        "data": value | {"created_at": "2026-01-31T09:30:00Z", "updated_at": "2026-01-31T09:30:00Z"},
    }


@pytest.mark.parametrize(
    ("topic", "value", "expected"),
    [
        ("profiles.updates", state(ONE, 1), ChangeType.PROFILE_CREATED),
        ("profiles.updates", state(ONE, 5), ChangeType.PROFILE_UPDATED),
        ("profiles.updates", state(ONE, 5, status="merged", merged_into=OTHER), ChangeType.PROFILE_MERGED),
        ("profiles.updates", None, ChangeType.PROFILE_ERASED),
        ("identity.merges", merge(ONE, OTHER, 2), ChangeType.MERGE_MERGED),
        ("identity.merges", {**merge(ONE, OTHER, 2), "kind": "split"}, ChangeType.MERGE_SPLIT),
        ("identity.merges", {**merge(ONE, OTHER, 2), "kind": "unknown"}, ChangeType.MERGE_OTHER),
        ("events.linked", linked(ONE, 2), ChangeType.EVENT_LINKED),
    ],
)
def test_types(codec: Codec, topic: str, value: dict[str, object] | None, expected: ChangeType) -> None:
    change = told(codec, topic, value)
    assert change.type is expected
    assert ONE in change.profiles
    assert orjson.loads(change.body)["profile_id"] == ONE
    family = str(expected).split(".", maxsplit=1)[0]
    assert topic in Wanted(types_of([f"{family}.*"])).topics


def test_every_status_of_a_review_has_its_type() -> None:
    review = json.loads((EXAMPLES / "review_item.json").read_text())
    for status in ("pending", "obsolete", "approved", "rejected"):
        assert type_of("identity.reviews", review | {"status": status}) == f"review.{status}"


def test_both_sides_of_a_merge_hear_of_it(codec: Codec) -> None:
    change = told(codec, "identity.merges", merge(ONE, OTHER, 2))
    assert change.profiles == {ONE, OTHER}
    assert Wanted(profile=OTHER)(change)
    assert not Wanted(types_of(["profile.*"]))(change)


def test_what_does_not_decode_is_told_whatever_was_chosen(codec: Codec) -> None:
    message = Message("identity.merges", 0, 4, AT, b"\xff", b"\x00nonsense")
    change = read_change(message, codec, "")
    assert change.type is ChangeType.UNREADABLE
    assert orjson.loads(change.body)["problem"] == "unknown_schema"
    assert Wanted(types_of(["identity.split"]), OTHER)(change)


def test_choosing_types() -> None:
    assert types_of([]) == set(MEANINGS) - {ChangeType.UNREADABLE}
    assert types_of(["profile.*", "event.linked"]) == {
        *(t for t in MEANINGS if t.startswith("profile.")),
        ChangeType.EVENT_LINKED,
    }
    assert Wanted().topics == TOPICS
    assert Wanted(types_of(["event.linked", "profile.merged"])).topics == (
        "profiles.updates",
        "events.linked",
    )
    for wrong in ("profile", "*", ".*", "profile.", "unreadable", "profile.changed", ""):
        with pytest.raises(BadInput, match=r"profile\.updated"):
            types_of([wrong])


def test_every_type_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ChangeType)

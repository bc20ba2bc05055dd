"""The customers of whom stewards are asked, and those who turn out to be one."""

from __future__ import annotations

from random import Random

from faults.people import Doubtful, mixed
from pipeline.configuration import load_model, load_policy
from pipeline.identity import scratch
from pipeline.mapping import RawRecord
from pipeline.resolve_file import Content
from pipeline.resolve_records import resolve_records
from pipeline.settings import Settings


def test_they_can_be_sent_again() -> None:
    one, other = Doubtful("seed"), Doubtful("seed")
    assert [one.events(5), one.events(5)] == [other.events(5), other.events(5)]
    assert Doubtful("another").events(5) != Doubtful("seed").events(5)


def test_they_come_back() -> None:
    people = Doubtful("seed")
    first, second = people.events(5), people.events(5)
    assert len(first) == 15
    assert len(second) == 20
    sent = [e["identifiers"] for e in first]
    assert sum(e["identifiers"] in sent for e in second) == 5
    assert len({str(e["event_id"]) for e in first + second}) == 35


def test_some_are_asked_about_and_the_others_become_one() -> None:
    policy, settings = load_policy(Settings()), Settings()
    content = Content(policy, settings.default_region)
    for line, event in enumerate(Doubtful("seed").events(30)):
        identifiers = {k: (v,) for k, v in event["identifiers"].items()}  # type: ignore[attr-defined]
        content.take(RawRecord(line, str(line), "web", "view", None, identifiers, event["traits"], {}))  # type: ignore[arg-type]
    found = resolve_records(scratch.weighed(content.records, policy), (), load_model(settings), policy)
    sizes = sorted(map(len, found.partition.clusters))
    assert sizes == [1] * sizes.count(1) + [2] * sizes.count(2) + [3] * sizes.count(3)
    assert sizes.count(1) == sizes.count(2) == len(found.partition.refused) > 5
    assert sizes.count(3) > 5


def test_streams_are_mixed_each_in_its_order() -> None:
    streams = [[{"n": n, "of": s} for n in range(20)] for s in range(3)]
    both = list(mixed(Random(1), *streams))  # type: ignore[arg-type]
    assert [[e for e in both if e["of"] == s] for s in range(3)] == streams
    assert [e["of"] for e in both] != sorted(e["of"] for e in both)  # type: ignore[type-var]

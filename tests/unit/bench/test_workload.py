"""The benchmark's workload is the stated one."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import cast

import pytest

from bench.workload import Event, Shares, Workload


def identity(event: Event) -> str:
    return repr((event["source"], event["identifiers"], event["traits"]))


def test_the_same_seed_gives_the_same_events() -> None:
    one, other = Workload(7), Workload(7)
    assert list(one.warm_up(50)) == list(other.warm_up(50))
    assert list(one.measured(200)) == list(other.measured(200))
    assert list(islice(Workload(8).warm_up(50), 50)) != list(Workload(7).warm_up(50))


def test_shares_are_as_stated() -> None:
    workload = Workload(1)
    seen = {identity(event) for event in workload.warm_up(2_000)}
    known_phones = {cast(dict[str, str], r.identifiers)["phone"] for r in workload.records}
    repeated = changed = new = 0
    for event in workload.measured(10_000):
        phone = cast(dict[str, str], event["identifiers"])["phone"]
        if identity(event) in seen:
            repeated += 1
        elif phone in known_phones:
            changed += 1
        else:
            new += 1
        seen.add(identity(event))
        known_phones.add(phone)
    assert repeated / 10_000 == pytest.approx(0.70, abs=0.02)
    assert changed / 10_000 == pytest.approx(0.15, abs=0.02)
    assert new / 10_000 == pytest.approx(0.15, abs=0.02)


def test_event_time_passes_at_a_millisecond_an_event() -> None:
    workload = Workload(1)
    times = [datetime.fromisoformat(str(e["occurred_at"])) for e in workload.warm_up(1_001)]
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(milliseconds=1)}


def test_event_ids_differ() -> None:
    workload = Workload(1)
    ids = [event["event_id"] for event in (*workload.warm_up(500), *workload.measured(500))]
    assert len(set(ids)) == 1_000


def test_a_few_customers_may_be_misspelt_for_ever() -> None:
    workload = Workload(1, Shares(repeat=0.0, changed=1.0))
    known = list(workload.warm_up(3))
    assert len(known) + len(list(workload.measured(3_000))) == 3_003
    assert min(len(record.traits["first_name"]) for record in workload.records) < 3

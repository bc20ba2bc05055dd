"""The diff between what stands and what clustering says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import ReasonCode
from pipeline.identity.decide import decide
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Comparison,
    Created,
    Decision,
    Edge,
    LevelWeight,
    Linked,
    Merged,
    Partition,
    Review,
    Split,
    StandingProfile,
)
from tests.support.ids import number_of, numbered

START = datetime(2026, 1, 1, tzinfo=UTC)


def r(*numbers: int) -> frozenset[Id]:
    return frozenset(numbered(n) for n in numbers)


def p(number: int) -> Id:
    return numbered(1000 + number)


def standing(number: int, *records: int) -> StandingProfile:
    """Profiles are as old as their number is low."""
    return StandingProfile(p(number), START + timedelta(hours=number), r(*records))


def edge(low: int, high: int, attribute: str = "email") -> Edge:
    return Edge(
        numbered(low), numbered(high), Comparison(9.0, 0.99, (LevelWeight(attribute, "exact", 20.0),))
    )


def run(
    before: list[StandingProfile],
    *clusters: frozenset[Id],
    claims: Mapping[Id, frozenset[Id]] | None = None,
    joined: tuple[Edge, ...] = (),
    refused: tuple[tuple[Edge, ReasonCode], ...] = (),
) -> tuple[Decision, ...]:
    """Records are as old as their number is low; new profiles are numbered from 50."""
    numbers = count(50)
    seen = {
        record: START + timedelta(minutes=number_of(record)) for members in clusters for record in members
    }
    return decide(before, Partition(clusters, refused, joined), seen, lambda: p(next(numbers)), claims or {})


def test_nothing_changes() -> None:
    assert run([standing(1, 1, 2), standing(2, 3)], r(1, 2), r(3)) == ()


def test_new_records_found_profiles_in_the_order_of_their_age() -> None:
    assert run([], r(2, 3), r(1)) == (Created(p(50), r(1)), Created(p(51), r(2, 3)))


@pytest.mark.parametrize(
    ("attribute", "reason"), [("email", ReasonCode.EXACT_MATCH), ("surname", ReasonCode.FUZZY_MATCH)]
)
def test_a_link_says_what_it_rests_on(attribute: str, reason: ReasonCode) -> None:
    assert run([standing(1, 1)], r(1, 2), joined=(edge(1, 2, attribute),)) == (Linked(p(1), r(2), reason),)


def test_the_older_profile_survives_a_merge() -> None:
    best = edge(3, 9)
    found = run([standing(2, 1), standing(1, 3)], r(1, 3, 9), joined=(edge(1, 9), best))
    assert found == (Merged(p(2), p(1), r(1), edge(1, 9)), Linked(p(1), r(9), ReasonCode.EXACT_MATCH))


def test_a_split_leaves_the_id_with_the_oldest_record() -> None:
    assert run([standing(1, 1, 2, 3)], r(2, 3), r(1)) == (
        Split(p(1), p(50), r(2, 3), True, ReasonCode.BETTER_CLUSTER),
    )


def test_a_record_moves_to_a_profile_that_stands() -> None:
    assert run([standing(1, 1, 3), standing(2, 2)], r(1), r(2, 3)) == (
        Split(p(1), p(2), r(3), False, ReasonCode.BETTER_CLUSTER),
    )


def test_a_profile_that_falls_apart_splits_before_it_merges() -> None:
    found = run([standing(1, 1), standing(2, 2, 3)], r(1, 2), r(3))
    assert found == (
        Split(p(2), p(50), r(3), True, ReasonCode.BETTER_CLUSTER),
        Merged(p(2), p(1), r(2), None),
    )


def test_a_rollback_gives_the_old_id_back() -> None:
    found = run([standing(1, 1, 2, 3, 4)], r(1, 2), r(3, 4), claims={p(9): r(3, 4)})
    assert found == (Split(p(1), p(9), r(3, 4), True, ReasonCode.ROLLBACK),)


def test_a_rollback_gives_the_old_id_back_even_where_its_records_are_the_oldest() -> None:
    found = run([standing(1, 1, 2, 3)], r(1), r(2, 3), claims={p(9): r(1)})
    assert found == (Split(p(1), p(9), r(1), True, ReasonCode.ROLLBACK),)


def test_no_id_comes_back_at_the_cost_of_a_standing_one() -> None:
    assert run([standing(1, 1, 2)], r(1, 2), claims={p(9): r(1)}) == ()


def test_reviews_name_the_profiles_as_they_are_afterwards() -> None:
    open_edge = edge(1, 3)
    found = run(
        [standing(1, 1), standing(2, 2)],
        r(1, 2),
        r(3),
        refused=((open_edge, ReasonCode.SCORE_IN_REVIEW_BAND),),
    )
    assert found[-1] == Review(min(p(1), p(50)), max(p(1), p(50)), open_edge, ReasonCode.SCORE_IN_REVIEW_BAND)


@given(st.data())
def test_decisions_lead_from_what_stands_to_the_partition(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 9))
    homes = data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
    groups = data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
    before = [
        standing(n, *(i + 1 for i, home in enumerate(homes) if home == n)) for n in sorted(set(homes) - {0})
    ]
    clusters = [r(*(i + 1 for i, group in enumerate(groups) if group == g)) for g in sorted(set(groups))]
    gone = data.draw(st.dictionaries(st.integers(10, 12), st.sets(st.integers(1, size), min_size=1)))
    claims = {p(n): r(*records) for n, records in gone.items()}
    at = {record: profile.profile_id for profile in before for record in profile.records}
    for decision in run(before, *clusters, claims=claims):
        match decision:
            case Created(profile_id=target, records=records) | Linked(profile_id=target, records=records):
                assert not records & at.keys()
            case Split(source=source, target=target, records=records):
                assert all(at[x] == source for x in records)
            case Merged(source=source, target=target, records=records):
                assert {x for x, profile in at.items() if profile == source} == records
            case Review():
                raise AssertionError("nothing was refused")
        at.update(dict.fromkeys(records, target))
    ended: dict[Id, set[Id]] = {}
    for record, profile in at.items():
        ended.setdefault(profile, set()).add(record)
    assert sorted(map(sorted, ended.values())) == sorted(map(sorted, clusters))

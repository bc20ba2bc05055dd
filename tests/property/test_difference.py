"""A difference is what lies between two partitions: nothing where they are equal, else enough to get there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.difference import Change, ChangeKind, Cluster, applied, difference, pairs_in
from tests.support.ids import numbered

Clusters = frozenset[Cluster]


def partition_of(labels: Sequence[int]) -> Clusters:
    """Record n belongs to the cluster called labels[n]."""
    members: defaultdict[int, set[int]] = defaultdict(set)
    for record, label in enumerate(labels):
        members[label].add(record)
    return frozenset(frozenset(numbered(r) for r in m) for m in members.values())


@st.composite
def two_partitions(draw: st.DrawFn) -> tuple[Clusters, Clusters]:
    labels = st.lists(st.integers(0, 5), min_size=(size := draw(st.integers(0, 14))), max_size=size)
    return partition_of(draw(labels)), partition_of(draw(labels))


def pairs(clusters: Clusters) -> set[tuple[object, ...]]:
    return {pair for members in clusters for pair in combinations(sorted(members), 2)}


@given(two_partitions())
def test_applied_to_the_one_it_gives_the_other(both: tuple[Clusters, Clusters]) -> None:
    before, after = both
    assert applied(difference(before, after), before) == after


@given(two_partitions())
def test_it_is_empty_exactly_where_they_are_equal(both: tuple[Clusters, Clusters]) -> None:
    before, after = both
    assert difference(before, before) == ()
    assert (difference(before, after) == ()) == (before == after)


@given(two_partitions())
def test_the_way_back_is_the_same_way(both: tuple[Clusters, Clusters]) -> None:
    before, after = both
    back = tuple(Change(change.after, change.before) for change in difference(before, after))
    assert difference(after, before) == back


@given(two_partitions(), st.data())
def test_changes_stand_alone(both: tuple[Clusters, Clusters], data: st.DataObject) -> None:
    before, after = both
    changes = difference(before, after)
    some = [change for change in changes if data.draw(st.booleans())]
    halfway = applied(some, before)
    assert sorted(r for members in halfway for r in members) == sorted(
        r for members in before for r in members
    )
    assert difference(before, halfway) == tuple(some)


@given(two_partitions())
def test_no_change_could_be_told_as_two(both: tuple[Clusters, Clusters]) -> None:
    for change in difference(*both):
        for size in range(1, len(change.before)):
            for part in combinations(change.before, size):
                covered = frozenset().union(*part)
                assert any(covered & members and not members <= covered for members in change.after)


@given(two_partitions())
def test_pairs_that_come_together_and_part_are_counted(both: tuple[Clusters, Clusters]) -> None:
    before, after = both
    changes = difference(before, after)
    assert sum(c.pairs_joined for c in changes) == len(pairs(after) - pairs(before))
    assert sum(c.pairs_parted for c in changes) == len(pairs(before) - pairs(after))
    assert pairs_in(before) == len(pairs(before))


def test_several_into_one_is_a_merge_one_into_several_a_split_and_else_records_move() -> None:
    def kinds(before: Sequence[int], after: Sequence[int]) -> list[ChangeKind]:
        return [change.kind for change in difference(partition_of(before), partition_of(after))]

    assert kinds([0, 1, 2], [0, 0, 0]) == [ChangeKind.MERGE]
    assert kinds([0, 0, 0], [0, 1, 0]) == [ChangeKind.SPLIT]
    assert kinds([0, 0, 1], [0, 1, 1]) == [ChangeKind.MIXED]
    assert kinds([0, 0, 1, 2, 3], [0, 1, 2, 2, 3]) == [ChangeKind.SPLIT, ChangeKind.MERGE]


@pytest.mark.parametrize("other", [[0], [0, 0, 0]])
def test_partitions_of_other_records_cannot_be_compared(other: list[int]) -> None:
    with pytest.raises(ValueError, match="same records"):
        difference(partition_of([0, 1]), partition_of(other))

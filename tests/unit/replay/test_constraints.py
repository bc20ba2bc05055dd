"""A steward's word over what the records it names became."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.replay.constraints import followed
from tests.support.ids import number_of, numbered

APART, ONE = ConstraintKind.CANNOT_LINK, ConstraintKind.MUST_LINK


def records(*numbers: int) -> frozenset[Id]:
    return frozenset(map(numbered, numbers))


def became(mapping: Mapping[int, tuple[int, ...]]) -> dict[Id, frozenset[Id]]:
    return {numbered(r): records(*found) for r, found in mapping.items()}


def numbers(found: frozenset[Id]) -> set[int]:
    return {number_of(r) for r in found}


@pytest.mark.parametrize("kind", [APART, ONE])
def test_records_are_named_by_what_they_became(kind: ConstraintKind) -> None:
    said = Constraint(kind, records(1, 2), records(3))
    found = followed(said, became({1: (1,), 2: (20, 21), 3: (30,)}))
    assert found.constraint == Constraint(kind, records(1, 20, 21), records(30))
    assert (found.lost, found.one, found.holds) == (frozenset(), frozenset(), True)


@pytest.mark.parametrize(("kind", "holds"), [(APART, False), (ONE, False)])
def test_a_side_of_which_nothing_is_left_is_told_and_still_named(kind: ConstraintKind, holds: bool) -> None:
    found = followed(Constraint(kind, records(1), records(3)), became({1: (10,)}))
    assert numbers(found.constraint.right) == {3}
    assert (numbers(found.lost), found.holds) == ({3}, holds)


@pytest.mark.parametrize("kind", [APART, ONE])
def test_a_record_that_is_lost_beside_others_leaves_them_their_word(kind: ConstraintKind) -> None:
    found = followed(Constraint(kind, records(1, 2), records(3)), became({1: (10,), 3: (30,)}))
    assert found.constraint == Constraint(kind, records(10, 2), records(30))
    assert (numbers(found.lost), found.holds) == ({2}, True)


def test_two_who_are_one_record_by_now_cannot_be_apart() -> None:
    said = Constraint(APART, records(1), records(2))
    found = followed(said, became({1: (9,), 2: (9,)}))
    assert (found.constraint, numbers(found.one), found.holds) == (said, {9}, False)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [((1, 2), (3,), ((10,), (9,))), ((2,), (3, 4), ((9,), (40,))), ((1, 2), (3, 4), ((10,), (9, 40)))],
)
def test_what_is_one_by_now_is_still_apart_from_the_others(
    left: tuple[int, ...], right: tuple[int, ...], expected: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    said = Constraint(APART, records(*left), records(*right))
    found = followed(said, became({1: (10,), 2: (9,), 3: (9,), 4: (40,)}))
    assert found.constraint == Constraint(APART, records(*expected[0]), records(*expected[1]))
    assert (numbers(found.one), found.holds) == ({9}, True)


def test_those_who_are_one_customer_may_be_one_record() -> None:
    found = followed(Constraint(ONE, records(1), records(2)), became({1: (9,), 2: (9,)}))
    assert (found.lost, found.holds) == (frozenset(), True)

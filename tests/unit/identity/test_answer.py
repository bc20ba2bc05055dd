"""What an answer means: constraints, the outcome they must have, and which question is which."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.answer import asks_the_same, came_true, constraints, is_forbidden
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from tests.support.ids import numbered

A, B, C, D, E, X, Y, Z = (numbered(n) for n in range(8))


def sides(*groups: Sequence[Id]) -> list[frozenset[Id]]:
    return [frozenset(group) for group in groups]


def parted(found: Sequence[Constraint], one: Id, other: Id) -> bool:
    return any(
        (one in c.left and other in c.right) or (one in c.right and other in c.left)
        for c in found
        if c.kind is ConstraintKind.CANNOT_LINK
    )


def test_one_customer_is_one_must_link_over_all() -> None:
    assert constraints(sides([A, B], [C], [D]), are_one=True) == (
        Constraint(ConstraintKind.MUST_LINK, frozenset({A, B}), frozenset({C, D})),
    )


def test_two_customers_are_one_cannot_link() -> None:
    assert constraints(sides([A, B], [C]), are_one=False) == (
        Constraint(ConstraintKind.CANNOT_LINK, frozenset({A, B}), frozenset({C})),
    )


@given(st.lists(st.integers(1, 3), min_size=2, max_size=40))
def test_any_two_parts_are_kept_apart_and_no_part_is_divided(sizes: list[int]) -> None:
    numbers = iter(range(1000))
    parts = [frozenset(numbered(next(numbers)) for _ in range(size)) for size in sizes]
    found = constraints(parts, are_one=False)
    assert 2 ** len(found) >= len(parts) > 2 ** (len(found) - 1)
    for one, other in combinations(parts, 2):
        assert all(parted(found, a, b) for a in one for b in other)
    for part in parts:
        assert not any(parted(found, a, b) for a, b in combinations(part, 2))


@pytest.mark.parametrize(
    ("home", "are_one", "apart"),
    [
        ({A: X, B: X, C: X}, True, False),
        ({A: X, B: X, C: Y}, False, True),
        ({A: X, B: Y, C: Z}, False, False),  # a part fell apart as well
        ({A: X, B: Y, C: X}, False, False),
        ({A: X, C: Y}, False, True),  # B was forgotten
        ({A: X, B: X}, True, True),  # C was: nobody is left to be together with or apart from
    ],
)
def test_an_answer_came_true(home: dict[Id, Id], are_one: bool, apart: bool) -> None:
    assert came_true(sides([A, B], [C]), True, home) is are_one
    assert came_true(sides([A, B], [C]), False, home) is apart


@pytest.mark.parametrize(
    ("kind", "left", "right", "forbidden"),
    [
        (ConstraintKind.CANNOT_LINK, [A], [C, X], True),
        (ConstraintKind.CANNOT_LINK, [C], [B], True),
        (ConstraintKind.CANNOT_LINK, [A], [B], False),  # within one side
        (ConstraintKind.CANNOT_LINK, [A, C], [X], False),
        (ConstraintKind.MUST_LINK, [A], [C], False),
    ],
)
def test_only_a_cannot_link_across_forbids(
    kind: ConstraintKind, left: list[Id], right: list[Id], forbidden: bool
) -> None:
    standing = [Constraint(kind, frozenset(left), frozenset(right))]
    assert is_forbidden(sides([A, B], [C]), standing) is forbidden


@pytest.mark.parametrize(
    ("parts", "same"),
    [
        (sides([A, B], [C]), True),
        (sides([C], [B, A]), True),
        (sides([A, B, D], [C], [E]), True),  # records that came since, in a part or as one
        (sides([A], [B, C]), False),
        (sides([A], [B], [C]), False),
        (sides([A], [C]), False),
    ],
)
def test_a_proposal_is_the_same_but_for_what_came(parts: list[frozenset[Id]], same: bool) -> None:
    assert asks_the_same(sides([A, B], [C]), parts) is same

"""What would change a verdict does change it, and nothing smaller does."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.identity.explain.counterfactual import MOST_CHANGES, changed, flipped, possible, would_change
from pipeline.identity.explain.judging import judge
from pipeline.identity.explain.weighing import Configuration
from pipeline.identity.model import Constraint, ConstraintKind, IdentityRecord
from tests.support.ids import numbered
from tests.support.people import model, person, policy


def some(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *values])


@st.composite
def records(draw: st.DrawFn) -> IdentityRecord:
    identifiers = {
        "email": draw(some("k@lovelace.org", "ada@lovelace.org", "info@lovelace.org")),
        "phone": draw(some("+14155550123", "+14155550124")),
        "loyalty_id": draw(some("L-1001", "L-1002")),
    }
    made = person(
        {k: v for k, v in identifiers.items() if v},
        first_name=draw(some("Ada", "Adda", "George")),
        last_name=draw(some("Lovelace", "Lovelase", "Smith")),
        date_of_birth=draw(some("1985-06-21", "1985-06-12", "1955-01-31")),
        gender=draw(some("f", "m")),
        address=draw(some("1304 Poppy Hills Dr, Blacklick OH 43004", "7 High St, Leeds")),
    )
    return IdentityRecord(numbered(0), made.canonical.identifiers, made.canonical.traits)


@st.composite
def sides(
    draw: st.DrawFn, most: int
) -> tuple[list[IdentityRecord], list[IdentityRecord], tuple[Constraint, ...]]:
    drawn = draw(st.lists(records(), min_size=2, max_size=most))
    named = [IdentityRecord(numbered(n), r.identifiers, r.traits) for n, r in enumerate(drawn, start=1)]
    cut = draw(st.integers(1, len(named) - 1))
    one, other = (frozenset({draw(st.sampled_from(s)).record_id}) for s in (named[:cut], named[cut:]))
    kind = draw(st.sampled_from([None, None, *ConstraintKind]))
    return named[:cut], named[cut:], () if kind is None else (Constraint(kind, one, other),)


Drawn = tuple[list[IdentityRecord], list[IdentityRecord], tuple[Constraint, ...]]


@given(sides(2))
@settings(max_examples=150, deadline=None)
def test_the_smallest_sets_flip_the_verdict_and_no_smaller_one_does(drawn: Drawn) -> None:
    left, right, constraints = drawn
    by = Configuration(model(), policy())
    now = judge(left, right, constraints, by).verdict
    found = would_change(left, right, constraints, by, now)
    assert found
    for would in found:
        assert would.complete
        for other in would.smallest:
            then = judge(*changed(left, right, constraints, by, other.changes), by)
            assert then.verdict is other.verdict
            assert flipped(now, then.verdict, would.direction)
            assert len(other.changes) == would.most_changes
        smaller = would.most_changes - 1 if would.smallest else MOST_CHANGES
        offered = possible(left, right, constraints, by, would.direction)
        for size in range(1, min(smaller, 2) + 1):
            for changes in combinations(offered, size):
                if len({c.attribute for c in changes}) == size:
                    then = judge(*changed(left, right, constraints, by, changes), by)
                    assert not flipped(now, then.verdict, would.direction), changes


@given(sides(7))
@settings(max_examples=40, deadline=None)
def test_of_large_sides_every_set_that_is_told_flips_the_verdict(drawn: Drawn) -> None:
    left, right, constraints = drawn
    by = Configuration(model(), policy())
    now = judge(left, right, constraints, by).verdict
    for would in would_change(left, right, constraints, by, now):
        for other in would.smallest:
            then = judge(*changed(left, right, constraints, by, other.changes), by)
            assert flipped(now, then.verdict, would.direction)


@given(sides(4))
@settings(max_examples=60, deadline=None)
def test_the_same_is_told_each_time_and_from_either_side(drawn: Drawn) -> None:
    left, right, constraints = drawn
    by = Configuration(model(), policy())
    found = judge(left, right, constraints, by)
    assert found == judge(right, left, constraints, by) == judge(left[::-1], right[::-1], constraints, by)
    told = would_change(left, right, constraints, by, found.verdict)
    assert told == would_change(left[::-1], right[::-1], constraints, by, found.verdict)

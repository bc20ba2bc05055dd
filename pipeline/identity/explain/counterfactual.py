"""What would change a verdict: the smallest sets of attributes that, absent, the same or different, flip it.

Counterfactual explanations after Wachter, Mittelstadt & Russell (2018). The engine itself judges every set, so what is
returned does flip the verdict; sets are tried from the smallest, so no smaller one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from pipeline.identity.compare import compare, side
from pipeline.identity.explain.changes import Option, Sides, applied, leads, options
from pipeline.identity.explain.explanation import (
    Becomes,
    Change,
    Counterfactual,
    Direction,
    Verdict,
    WouldChange,
)
from pipeline.identity.explain.judging import Judgement, edges_between, judge
from pipeline.identity.explain.weighing import Configuration, Records
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint

MOST_CHANGES = 3
"""A reason of more attributes than that is none that a person keeps in mind."""

MOST_PAIRS = 2_000
SHOWN = 3
_MOST_TRIED = 4_000
_PAIRS = 4
"""Of large sides, the pairs of records that every set is judged by: the best. What is returned was judged by all."""

_DIRECTIONS = {
    Verdict.MERGE: (Direction.APART,),
    Verdict.REVIEW: (Direction.TOGETHER, Direction.APART),
    Verdict.APART: (Direction.TOGETHER,),
}


class _Flip(NamedTuple):
    options: Sequence[Option]
    found: Judgement


def would_change(
    left: Records, right: Records, constraints: Sequence[Constraint], by: Configuration, now: Verdict
) -> tuple[WouldChange, ...]:
    """The smallest sets that would make of `now` another verdict: a merge no merge, anything else a merge, and a review
    two customers as well.

    Empty where the sides, judged by what is known of them now, have another verdict already. Sides of more than
    MOST_PAIRS pairs of records are not searched.
    """
    if len(left) * len(right) > MOST_PAIRS:
        return tuple(WouldChange(direction, (), 0, complete=False) for direction in _DIRECTIONS[now])
    sides = Sides(left, right, constraints)
    if judge(*sides, by).verdict is not now:
        return ()
    return tuple(_Search(sides, by, now, direction).run() for direction in _DIRECTIONS[now])


def possible(
    left: Records, right: Records, constraints: Sequence[Constraint], by: Configuration, direction: Direction
) -> tuple[Change, ...]:
    """The changes that are tried in a direction."""
    found = (o.change for o in options(Sides(left, right, constraints), by))
    return tuple(c for c in found if leads(c, direction))


def changed(
    left: Records,
    right: Records,
    constraints: Sequence[Constraint],
    by: Configuration,
    changes: Sequence[Change],
) -> Sides:
    """Both sides and the constraints as they would be after the changes."""
    sides = Sides(left, right, constraints)
    offered = {o.change: o for o in options(sides, by)}
    return applied(sides, [offered[c] for c in changes])


def flipped(now: Verdict, then: Verdict, direction: Direction) -> bool:
    """Whether a verdict is another one that way: one customer, or no longer one; of a review, two customers."""
    if direction is Direction.TOGETHER:
        return then is Verdict.MERGE
    return then is Verdict.APART if now is Verdict.REVIEW else then is not Verdict.MERGE


class _Search:
    """Tries sets from the smallest up, within a bound of work."""

    def __init__(self, sides: Sides, by: Configuration, now: Verdict, direction: Direction) -> None:
        self._sides, self._by, self._now, self._direction = sides, by, now, direction
        self._left = _MOST_TRIED // max(1, (len(sides.left) + len(sides.right)) // 2)
        wholes = compare(side(sides.left), side(sides.right), by.model, by.policy)
        self._levels = {v.attribute: v.weight for v in wholes.levels}
        self._pairs: frozenset[tuple[Id, Id]] | None = None
        if len(sides.left) * len(sides.right) > _PAIRS:
            best = edges_between(sides.left, sides.right, by)[:_PAIRS]
            self._pairs = frozenset((e.low, e.high) for e in best)

    def run(self) -> WouldChange:
        """The smallest sets that flip the verdict."""
        offered = [o for o in options(self._sides, self._by) if leads(o.change, self._direction)]
        for size in range(1, MOST_CHANGES + 1):
            best = self._best(self._flips(offered, size))
            if best or self._left <= 0:
                return WouldChange(self._direction, best, size, complete=self._left > 0)
        return WouldChange(self._direction, (), MOST_CHANGES, complete=True)

    def _flips(self, offered: Sequence[Option], size: int) -> Iterator[_Flip]:
        for chosen in combinations(offered, size):
            if len({o.change.attribute for o in chosen}) < size:
                continue
            if self._left <= 0:
                return
            self._left -= 1
            left, right, constraints = applied(self._sides, chosen)
            edges = None if self._pairs is None else edges_between(left, right, self._by, self._pairs)
            found = judge(left, right, constraints, self._by, edges)
            if flipped(self._now, found.verdict, self._direction):
                yield _Flip(chosen, found)

    def _best(self, flips: Iterable[_Flip]) -> tuple[Counterfactual, ...]:
        """The most plausible, one for each set of attributes, each of which flips by all pairs of records."""
        chosen: dict[frozenset[str], Counterfactual] = {}
        for flip in sorted(flips, key=self._rank):
            changes = tuple(o.change for o in flip.options)
            attributes = frozenset(c.attribute for c in changes)
            if attributes not in chosen and (found := self._by_all_pairs(flip)) is not None:
                weight, confidence = _decisive(found)
                chosen[attributes] = Counterfactual(changes, found.verdict, weight, confidence)
            if len(chosen) == SHOWN:
                break
        return tuple(chosen.values())

    def _rank(self, flip: _Flip) -> tuple[int, float]:
        weight, _ = _decisive(flip.found)
        cost = sum(_cost(o.change, self._levels) for o in flip.options)
        return cost, -weight if flip.found.verdict is Verdict.MERGE else weight

    def _by_all_pairs(self, flip: _Flip) -> Judgement | None:
        """The judgement by every pair of records; None where it does not flip by all."""
        if self._pairs is None:
            return flip.found
        found = judge(*applied(self._sides, flip.options), self._by)
        return found if flipped(self._now, found.verdict, self._direction) else None


def _cost(change: Change, levels: Mapping[str, float]) -> int:
    """How much would have to be otherwise: what is missing may come, a slip may be mended; a clear difference seldom
    is none, and a person does not become another."""
    if change.becomes is Becomes.SAME:
        return 3 if change.attribute in levels and levels[change.attribute] <= 0 else 1
    return 3 if change.becomes is Becomes.DIFFERENT else 2


def _decisive(found: Judgement) -> tuple[float, float]:
    """Weight and confidence of what decides: the weaker of the best edge and the wholes."""
    weaker = min(found.best.comparison, found.wholes, key=lambda c: c.weight)
    return weaker.weight, weaker.confidence

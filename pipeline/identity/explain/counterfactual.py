"""What would change a verdict: the smallest sets of attributes that, absent, equal or different, flip it.

Counterfactual explanations after Wachter, Mittelstadt & Russell (2018). The engine itself judges every set, so what is
returned does flip the verdict; sets are tried from the smallest, so no smaller one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from pipeline.identity.compare import compare, side
from pipeline.identity.explain.content import ATTRIBUTES, PURCHASES, Part, part_of, with_part
from pipeline.identity.explain.explanation import (
    Becomes,
    Change,
    Counterfactual,
    Direction,
    Verdict,
    WouldChange,
)
from pipeline.identity.explain.judging import Judgement, edges_between, judge, stands_between
from pipeline.identity.explain.weighing import Configuration, Records
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Constraint,
    ConstraintKind,
    Identifier,
    IdentifierType,
    IdentityRecord,
    Trait,
)

MOST_CHANGES = 3
"""A reason of more attributes than that is none that a person keeps in mind."""

MOST_TRIED = 4_000
SHOWN = 3
_PAIRS = 4
"""Of large sides, the pairs of records that every set is judged by: the best. What is returned was judged by all."""

_UNHEARD = ("zzyzx", "quoqou")
_TOWARDS = {
    Direction.TOGETHER: frozenset((Becomes.ABSENT, Becomes.SAME)),
    Direction.APART: frozenset((Becomes.ABSENT, Becomes.DIFFERENT)),
}
_DIRECTIONS = {
    Verdict.MERGE: (Direction.APART,),
    Verdict.REVIEW: (Direction.TOGETHER, Direction.APART),
    Verdict.APART: (Direction.TOGETHER,),
}


class _Sides(NamedTuple):
    left: Records
    right: Records
    constraints: Sequence[Constraint]


class _Option(NamedTuple):
    """A change, and what the sides say of the attribute after it; None leaves a side as it is."""

    change: Change
    left: Part | None = None
    right: Part | None = None


class _Flip(NamedTuple):
    options: Sequence[_Option]
    found: Judgement


def would_change(
    left: Records, right: Records, constraints: Sequence[Constraint], by: Configuration, now: Verdict
) -> tuple[WouldChange, ...]:
    """The smallest sets that would make of `now` another verdict: a merge no merge, anything else a merge, and a review
    two customers as well.

    Towards one customer attributes may become absent or the same, towards two absent or different. Empty where the
    sides, judged by what is known of them now, have another verdict already.
    """
    sides = _Sides(left, right, constraints)
    if judge(*sides, by).verdict is not now:
        return ()
    return tuple(_Search(sides, by, now, direction).run() for direction in _DIRECTIONS[now])


def possible(
    left: Records, right: Records, constraints: Sequence[Constraint], by: Configuration, direction: Direction
) -> tuple[Change, ...]:
    """The changes that are tried in a direction."""
    found = (o.change for o in _options(_Sides(left, right, constraints), by))
    return tuple(c for c in found if _leads(c, direction))


def changed(
    left: Records,
    right: Records,
    constraints: Sequence[Constraint],
    by: Configuration,
    changes: Sequence[Change],
) -> tuple[Records, Records, Sequence[Constraint]]:
    """Both sides and the constraints as they would be after the changes."""
    sides = _Sides(left, right, constraints)
    options = {o.change: o for o in _options(sides, by)}
    return _applied(sides, [options[c] for c in changes])


class _Search:
    """Tries sets from the smallest up, within a bound of work."""

    def __init__(self, sides: _Sides, by: Configuration, now: Verdict, direction: Direction) -> None:
        self._sides, self._by, self._now, self._direction = sides, by, now, direction
        self._left = MOST_TRIED // max(1, (len(sides.left) + len(sides.right)) // 2)
        self._pairs: frozenset[tuple[Id, Id]] | None = None
        if len(sides.left) * len(sides.right) > _PAIRS:
            best = edges_between(sides.left, sides.right, by)[:_PAIRS]
            self._pairs = frozenset((e.low, e.high) for e in best)

    def run(self) -> WouldChange:
        """The smallest sets that flip the verdict."""
        direction = self._direction
        options = [o for o in _options(self._sides, self._by) if _leads(o.change, direction)]
        for size in range(1, MOST_CHANGES + 1):
            flips = list(self._flips(options, size))
            levels = {v.attribute: v.weight for v in judge(*self._sides, self._by).wholes.levels}
            if (best := _best(filter(self._holds, flips), levels)) or self._left <= 0:
                return WouldChange(direction, best, size, complete=self._left > 0)
        return WouldChange(direction, (), MOST_CHANGES, complete=True)

    def _flips(self, options: Sequence[_Option], size: int) -> Iterator[_Flip]:
        for chosen in combinations(options, size):
            if len({o.change.attribute for o in chosen}) < size:
                continue
            if self._left <= 0:
                return
            self._left -= 1
            left, right, constraints = _applied(self._sides, chosen)
            edges = None if self._pairs is None else edges_between(left, right, self._by, self._pairs)
            found = judge(left, right, constraints, self._by, edges)
            if flipped(self._now, found.verdict, self._direction):
                yield _Flip(chosen, found)

    def _holds(self, flip: _Flip) -> bool:
        """Whether it flips by all pairs of records as well."""
        if self._pairs is None:
            return True
        then = judge(*_applied(self._sides, flip.options), self._by).verdict
        return flipped(self._now, then, self._direction)


def flipped(now: Verdict, then: Verdict, direction: Direction) -> bool:
    """Whether a verdict is another one that way: one customer, or no longer one; of a review, two customers."""
    if direction is Direction.TOGETHER:
        return then is Verdict.MERGE
    return then is Verdict.APART if now is Verdict.REVIEW else then is not Verdict.MERGE


def _leads(change: Change, direction: Direction) -> bool:
    if change.becomes is Becomes.LIFTED:
        return (change.attribute == ConstraintKind.MUST_LINK) is (direction is Direction.APART)
    return change.becomes in _TOWARDS[direction]


def _applied(sides: _Sides, options: Sequence[_Option]) -> _Sides:
    left, right, constraints = sides
    for change, mine, other in options:
        if change.becomes is Becomes.LIFTED:
            constraints = [c for c in constraints if c.kind.value != change.attribute]
            continue
        left = left if mine is None else [with_part(r, change.attribute, mine) for r in left]
        right = right if other is None else [with_part(r, change.attribute, other) for r in right]
    return _Sides(left, right, constraints)


# ── what attributes could become ──────────────────────────────────────────────────────────────────────────────────


def _options(sides: _Sides, by: Configuration) -> Iterator[_Option]:
    """Every attribute that a side has: absent (on the right), the same on both sides, different from one another."""
    for attribute in ATTRIBUTES:
        mine, other = _held(sides.left, attribute), _held(sides.right, attribute)
        if mine and other:
            yield _Option(Change(attribute, Becomes.ABSENT), right=Part())
        if mine or other:
            same = Change(attribute, Becomes.SAME)
            yield _Option(same, right=mine) if mine else _Option(same, left=other)
        if held := mine or other:
            offers = _made_up(attribute, held)
            made = [_different(attribute, part, on_right=mine is not None) for part in offers]
            yield from sorted(made, key=lambda o: _agreement(sides, o, by))[:1]
    left, right = (frozenset(r.record_id for r in side) for side in sides[:2])
    for kind in ConstraintKind:
        if any(c.kind is kind and stands_between(c, left, right) for c in sides.constraints):
            yield _Option(Change(kind.value, Becomes.LIFTED))


def _held(records: Records, attribute: str) -> Part | None:
    """What stands for a side: the part of its first record that says anything of the attribute."""
    parts = (part_of(r, attribute) for r in sorted(records, key=_record_id))
    return next((p for p in parts if p != Part()), None)


def _record_id(record: IdentityRecord) -> Id:
    return record.record_id


def _different(attribute: str, part: Part, *, on_right: bool) -> _Option:
    change = Change(attribute, Becomes.DIFFERENT)
    return _Option(change, right=part) if on_right else _Option(change, left=part)


def _agreement(sides: _Sides, option: _Option, by: Configuration) -> float:
    left, right, _ = _applied(sides, [option])
    return compare(side(left), side(right), by.model, by.policy).weight


def _made_up(attribute: str, held: Part) -> Sequence[Part]:
    """Values that hardly anybody has, to be different from what is held; the least alike of them is taken."""
    if attribute == PURCHASES:
        return ()
    if held.identifiers:
        kind = held.identifiers[0].type
        return [Part(identifiers=(Identifier(kind, value),)) for value in _MADE_UP_IDS.get(kind, _UNHEARD)]
    trait, value = held.traits[0]
    if trait is Trait.NATIONAL_ID:  # of the same kind, else it would not be compared
        return [Part(traits=((trait, f"{value.partition(':')[0]}:{word}"),)) for word in _UNHEARD]
    if attribute == "address":
        return [Part(traits=((Trait.STREET, w), (Trait.CITY, w), (Trait.POSTCODE, w))) for w in _UNHEARD]
    return [Part(traits=((trait, word),)) for word in _MADE_UP.get(trait, _UNHEARD)]


_MADE_UP_IDS: Mapping[IdentifierType, Sequence[str]] = {
    IdentifierType.EMAIL: ("zzyzx@zzyzx.example", "quoqou@quoqou.example"),
    IdentifierType.PHONE: ("+12025550143", "+819012345678"),
    IdentifierType.WHATSAPP: ("+12025550143", "+819012345678"),
}
_MADE_UP: Mapping[Trait, Sequence[str]] = {
    Trait.DATE_OF_BIRTH: ("1911-11-30", "1948-07-14", "2012-02-25"),
    Trait.GENDER: ("f", "m"),
    Trait.NAME_SUFFIX: ("jr", "sr"),
}


# ── which of several is the likeliest ─────────────────────────────────────────────────────────────────────────────


def _best(flips: Iterable[_Flip], levels: Mapping[str, float]) -> tuple[Counterfactual, ...]:
    """The most plausible, one for each set of attributes. `levels`: the bits each attribute brings now."""
    ranked = sorted(
        flips, key=lambda f: (sum(_cost(o.change, levels) for o in f.options), -_sureness(f.found))
    )
    chosen: dict[frozenset[str], Counterfactual] = {}
    for options, found in ranked:
        changes = tuple(o.change for o in options)
        weight, confidence = _decisive_weight(found)
        attributes = frozenset(c.attribute for c in changes)
        chosen.setdefault(attributes, Counterfactual(changes, found.verdict, weight, confidence))
    return tuple(chosen.values())[:SHOWN]


def _cost(change: Change, levels: Mapping[str, float]) -> int:
    """How much would have to be otherwise: what is missing may come, a slip may be mended; a clear difference seldom
    is none, and a person does not become another."""
    if change.becomes is Becomes.SAME:
        return 3 if levels.get(change.attribute, 0.0) < 0 else 1
    return 3 if change.becomes is Becomes.DIFFERENT else 2


def _sureness(found: Judgement) -> float:
    weight, _ = _decisive_weight(found)
    return weight if found.verdict is Verdict.MERGE else -weight


def _decisive_weight(found: Judgement) -> tuple[float, float]:
    """Weight and confidence of what decides: the weaker of the best edge and the wholes."""
    best = found.best.comparison
    weaker = min(best, found.wholes, key=lambda c: c.weight)
    return weaker.weight, weaker.confidence

"""Stewards' words in the shadow. Constraints name records, and what an event says of somebody may be another by now:
what a record became are the records that its events speak of in the shadow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from pipeline.codes import ReasonCode
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.ids import new_id
from pipeline.steward import Act, Stewardship
from pipeline.store.database import Transaction
from pipeline.store.identity_writer import Author

_PROFILES = 200
"""Decided afresh at once."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A constraint, as it is to stand.

    `lost` are records of it that no event speaks of any more; it names them still. `one` are records that both of its
    sides became, which a cannot-link cannot part from themselves. `holds` is False where it says nothing any more.
    """

    constraint: Constraint
    lost: frozenset[Id] = frozenset()
    one: frozenset[Id] = frozenset()
    holds: bool = True


def followed(said: Constraint, became: Mapping[Id, frozenset[Id]]) -> Followed:
    """A constraint over what its records became. `became` has no entry for records that became nothing."""
    left, right = _became(said.left, became), _became(said.right, became)
    lost = frozenset(r for r in said.left | said.right if r not in became)
    if said.kind is ConstraintKind.MUST_LINK:
        holds = not lost or len((left | right) - lost) > 1
        return Followed(Constraint(said.kind, left, right), lost, holds=holds)
    one = left & right
    if left == right == one and len(one) > 0:
        return Followed(said, lost, one, holds=False)
    apart = (left - one, right) if left - one else (left, right - one)
    holds = all(side - lost for side in apart)
    return Followed(Constraint(said.kind, *apart), lost, one, holds)


def _became(records: frozenset[Id], became: Mapping[Id, frozenset[Id]]) -> frozenset[Id]:
    return frozenset().union(*(became.get(r, frozenset((r,))) for r in records))


@dataclass(frozen=True, slots=True)
class _Row:
    constraint_id: Id
    kind: str
    left: Sequence[Id]
    right: Sequence[Id]
    revoked_at: datetime | None

    @property
    def said(self) -> Constraint:
        return Constraint(ConstraintKind(self.kind), frozenset(self.left), frozenset(self.right))


def all_followed(tx: Transaction) -> dict[Id, Followed]:
    """Every live constraint that stands, over the records of the shadow."""
    return {row.constraint_id: found for row, found in _followed(tx) if row.revoked_at is None}


def _followed(tx: Transaction) -> list[tuple[_Row, Followed]]:
    rows = [_Row(*row) for row in tx.rows("live_constraints")]
    named = sorted({r for row in rows for r in (*row.left, *row.right)})
    became = _mapping(tx, named)
    return [(row, followed(row.said, became)) for row in rows]


def _mapping(tx: Transaction, named: Collection[Id]) -> dict[Id, frozenset[Id]]:
    """What live records became, without those that became nothing."""
    found = tx.rows("replay_became", (list(named),)) if named else []
    # one that stands nowhere in the live house either was lost before
    return {r: frozenset(records or (r,)) for r, records, stands in found if records or not stands}


def follow(tx: Transaction, by: Stewardship) -> None:
    """Bring the shadow's constraints to what the live ones say, and decide afresh whom that concerns."""
    stand = {
        i: (frozenset(left), frozenset(right), revoked)
        for i, left, right, revoked in tx.rows("shadow_constraints")
    }
    changed: list[tuple[_Row, Constraint]] = []
    for row, found in _followed(tx):
        said = found.constraint
        if stand.get(row.constraint_id) != (said.left, said.right, row.revoked_at):
            changed.append((row, said))
    if not changed:
        return
    tx.run(
        "put_constraints",
        (
            [row.constraint_id for row, _ in changed],
            [orjson.dumps([_texts(said.left), _texts(said.right)]).decode() for _, said in changed],
        ),
    )
    records = {r for row, said in changed for r in (*row.left, *row.right, *said.left, *said.right)}
    stood = [
        Constraint(ConstraintKind(row.kind), *stand[row.constraint_id][:2])
        for row, _ in changed
        if row.constraint_id in stand
    ]
    _decide_afresh(tx, by, _homes(tx, records), [*stood, *(said for _, said in changed)])


def hold(tx: Transaction, by: Stewardship) -> None:
    """Nobody is split unasked because of a replay: customers that the live house holds together until a steward answers
    are held here as well, where they would fall apart.

    Held customers depend on what came first, and pages are no batches: so they are brought together as by a steward's
    word, which is then taken back, with the question in its place.
    """
    held = [_became(frozenset(records), _mapping(tx, records)) for (records,) in tx.rows("live_held")]
    torn = [records for records in held if len(_homes(tx, records)) > 1]
    if not torn:
        return
    now = datetime.now(UTC)
    tx.run("tie_for_now", (now, [new_id() for _ in torn], [orjson.dumps(_texts(r)).decode() for r in torn]))
    everyone = frozenset().union(*torn)
    _decide_afresh(tx, by, _homes(tx, everyone))
    tx.run("untie")
    homes = _homes(tx, everyone)
    tx.run("hold_profiles", (homes, [True] * len(homes)))
    _decide_afresh(tx, by, homes)


def _homes(tx: Transaction, records: Collection[Id]) -> list[Id]:
    """The profiles of the shadow that records stand in."""
    return sorted(p for (p,) in tx.rows("homes_of", (sorted(records),)))


def _decide_afresh(
    tx: Transaction, by: Stewardship, profiles: Sequence[Id], changed: Sequence[Constraint] = ()
) -> None:
    now = datetime.now(UTC)
    author = Author("replay", ReasonCode.REPROCESSED, by.model.version, by.policy.version, now, new_id)
    for start in range(0, len(profiles), _PROFILES):
        act = Act(by, tx, author)
        if start == 0:
            act.heed(changed)
        found = act.gather(frozenset(profiles[start : start + _PROFILES]))
        act.carry_out(found, act.settle(found))


def _texts(records: frozenset[Id]) -> list[str]:
    return [str(r) for r in sorted(records)]

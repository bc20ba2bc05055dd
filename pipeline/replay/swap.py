"""The shadow's rows in the place of the live ones, where they differ, in the transaction of an activation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from pipeline.codes import ReasonCode
from pipeline.identity.ids import Id
from pipeline.identity.model import Comparison, Edge, LevelWeight, Proposal, Review
from pipeline.identity.settle import ProfileAfter, Settlement
from pipeline.replay.difference import Difference
from pipeline.store.database import Transaction
from pipeline.store.identity_store import winners
from pipeline.store.identity_writer import Author, LoggedMerge
from pipeline.store.review_writer import SPLIT

_ROWS = (
    "swap_lost_records",
    "swap_moved_records",
    "swap_new_records",
    "swap_undecided_records",
    "swap_lost_match_keys",
    "swap_new_match_keys",
    "swap_lost_worn_keys",
    "swap_worn_keys",
    "swap_lost_shared_identifiers",
    "swap_new_shared_identifiers",
    "swap_lost_record_identifiers",
    "swap_new_record_identifiers",
    "swap_lost_record_products",
    "swap_new_record_products",
    "swap_lost_evidence",
    "swap_evidence",
    "swap_event_index",
    "swap_consent",
    "swap_new_consent",
    "swap_constraints",
)
"""What follows from events, behind the profiles; one statement a table and way."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """What is to be told: entries of the merge log, profiles that are another version now or gone, and reviews that are
    to wait. `reviewed`: profiles with a review that waited before, and the versions they had."""

    logged: tuple[LoggedMerge, ...]
    profiles: Mapping[Id, ProfileAfter]
    gone: tuple[Id, ...]
    wanted: tuple[Review | Proposal, ...]
    reviewed: Mapping[Id, int]

    @property
    def settlement(self) -> Settlement:
        """The same, as the review queue is brought up to."""
        reviews = tuple(w for w in self.wanted if isinstance(w, Review))
        proposals = tuple(w for w in self.wanted if isinstance(w, Proposal))
        named = {p for r in reviews for p in (r.low, r.high)} | {p.profile for p in proposals}
        return Settlement((), self.profiles, {}, reviews, frozenset(named | self.reviewed.keys()), proposals)


def swap(tx: Transaction, found: Difference, author: Author) -> Swapped:
    """Replace what differs. Raises StoreUnavailable."""
    tx.run("plan_for_whole_tables")
    wanted = tuple(_wanted(*row) for row in tx.rows("replay_reviews"))
    reviewed: dict[Id, int] = dict(tx.rows("live_reviewed"))
    logged = _log(tx, found, author)
    gone = _profiles(tx, found, author)
    for statement in _ROWS:
        tx.run(statement)
    tx.run("find_swapped_events", (ReasonCode.REPROCESSED,))
    tx.run("swap_due_embeddings")
    return Swapped(logged, _after(tx, found), gone, wanted, reviewed)


def swap_events(tx: Transaction) -> None:
    """The last of it, once what was linked anew is told."""
    tx.run("remove_swapped_events")
    tx.run("insert_swapped_events")


def _log(tx: Transaction, found: Difference, author: Author) -> tuple[LoggedMerge, ...]:
    if not found.moved:
        return ()
    tx.run("make_snapshots")
    rows = tx.rows(
        "log_replay_decisions",
        {
            "ids": [m.merge_log_id for m in found.moved],
            "moved": [orjson.dumps([str(r) for r in m.records]).decode() for m in found.moved],
            "why": author.reason,
            "reason": ReasonCode.REPROCESSED,
            "actor": author.actor,
            "model": author.model_version,
            "policy": author.policy_version,
            "now": author.now,
        },
    )
    told = {entry: (confidence, details) for entry, confidence, details in rows}
    return tuple(
        LoggedMerge(
            m.merge_log_id,
            m.step.kind,
            m.step.source,
            m.step.target,
            frozenset(m.records),
            *told[m.merge_log_id],
        )
        for m in found.moved
    )


def _profiles(tx: Transaction, found: Difference, author: Author) -> tuple[Id, ...]:
    """The profiles, a version more each; returns those that are gone."""
    now = {"now": author.now}
    changed = [p for p, is_new in found.altered.items() if not is_new]
    tx.run("swap_new_profiles", now)
    tx.run("swap_changed_profiles", {**now, "profiles": changed})
    tx.run("swap_merged_profiles", now)
    tx.run("swap_emptied_profiles", {**now, "profiles": sorted(found.withheld)})
    tx.run("swap_quiet_profiles")
    return tuple(p for (p,) in tx.rows("swap_gone_profiles", (sorted(found.gone),)))


def _after(tx: Transaction, found: Difference) -> dict[Id, ProfileAfter]:
    """What is another version now, with what happened to it."""
    happened = {p: "created" if is_new else "linked" for p, is_new in found.altered.items()}
    happened |= dict.fromkeys(found.withheld, "linked")
    for kind in ("split", "merged"):  # of both the latter is told, as everywhere
        steps = [m.step for m in found.moved if m.step.kind == kind]
        happened |= {p: kind for step in steps for p in (step.source, step.target)}
    return {
        profile: ProfileAfter(
            profile_id=profile,
            version=version,
            is_new=found.altered.get(profile, False),
            created_at=created,
            records=frozenset(records),
            golden=winners(golden),
            contested=contested,
            change=happened[profile],
            merged_into=into,
        )
        for profile, version, created, golden, contested, into, records in tx.rows(
            "profiles_swapped", (sorted(happened),)
        )
    }


def _wanted(
    kind: str,
    one: Id,
    other: Id,
    low: Id,
    high: Id,
    reason: str,
    confidence: float,
    details: Mapping[str, Sequence[Mapping[str, object]]],
) -> Review | Proposal:
    """A review of the shadow, under the ids that its customers have by now."""
    edge = Edge(low, high, _shown(confidence, details["evidence"][0]))
    if kind == SPLIT:
        parts = tuple(frozenset(map(Id.parse, part)) for part in details["parts"])
        return Proposal(one, parts, edge, ReasonCode(reason))
    return Review(min(one, other), max(one, other), edge, ReasonCode(reason))


def _shown(confidence: float, evidence: Mapping[str, object]) -> Comparison:
    weight, veto, levels = (evidence[name] for name in ("weight", "veto", "levels"))
    assert isinstance(weight, int | float)
    assert isinstance(levels, list)
    return Comparison(
        weight,
        confidence,
        tuple(LevelWeight(*level) for level in levels),
        None if veto is None else ReasonCode(str(veto)),
    )

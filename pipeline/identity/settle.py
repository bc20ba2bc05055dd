"""From a neighbourhood as it stands to the neighbourhood as it should be: cluster, decide, choose golden values.

The one function that a new event, a rollback and a steward's action all go through. Pure: the caller loaded and locked
the neighbourhood and writes what comes back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from pipeline.codes import ReasonCode
from pipeline.identity.cluster import cluster
from pipeline.identity.decide import decide
from pipeline.identity.graph import connected
from pipeline.identity.hold import Parts, as_constraints, parts_held, proposal, sides_held, to_hold
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Constraint,
    ConstraintKind,
    Created,
    Decision,
    Edge,
    IdentityRecord,
    Linked,
    Merged,
    Proposal,
    RecordActivity,
    Review,
    Split,
    StandingProfile,
)
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.survivorship import golden_record


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record with its activity and the profile it stands in; None where it is new."""

    record: IdentityRecord
    activity: RecordActivity
    profile_id: Id | None


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A profile as it stands. `golden` maps attributes to the winning record; `held`: a split of it is proposed."""

    profile_id: Id
    version: int
    created_at: datetime
    is_merged: bool
    golden: Mapping[str, Id]
    held: bool = False


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """All that a decision may rest on.

    `records` are every record of `profiles` and the new ones; `edges` all evidence with an end in `records`;
    `outside` the profile of each other record that is an edge's end or that a constraint names beside one of these;
    `dirty` the records with new evidence; `doubts` those whose evidence fell because a limit was crossed, and why;
    `restated` the profiles that come to grant or withdraw something.
    """

    profiles: Mapping[Id, ProfileRow]
    records: Mapping[Id, StoredRecord]
    edges: tuple[Edge, ...]
    outside: Mapping[Id, Id]
    constraints: tuple[Constraint, ...]
    dirty: frozenset[Id]
    doubts: Mapping[Id, ReasonCode] = field(default_factory=dict)
    restated: frozenset[Id] = frozenset()


@dataclass(frozen=True, slots=True)
class ProfileAfter:
    """A profile that changed, as it stands now. `version` is one more than before, or 1."""

    profile_id: Id
    version: int
    is_new: bool
    created_at: datetime
    records: frozenset[Id]
    golden: Mapping[str, Id]
    contested: bool
    change: str
    merged_into: Id | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be written. `reviews` and `proposals` are all that the `reviewed` profiles should have pending now;
    `held` tells the profiles that come to be held together, or no longer are."""

    decisions: tuple[Decision, ...]
    profiles: Mapping[Id, ProfileAfter]
    moves: Mapping[Id, Id]
    reviews: tuple[Review, ...]
    reviewed: frozenset[Id]
    proposals: tuple[Proposal, ...] = ()
    held: Mapping[Id, bool] = field(default_factory=dict)


def settle(
    standing: Neighbourhood,
    model: Model,
    policy: Policy,
    new_id: Callable[[], Id],
    now: datetime,
    claims: Mapping[Id, frozenset[Id]] | None = None,
    release: frozenset[Id] = frozenset(),
    hold: frozenset[Id] = frozenset(),
) -> Settlement:
    """Cluster each component that holds a dirty record, and diff the result with what stands.

    `claims` are the records that ids had before what is undone (pipeline/identity/decide.py); `release` the profiles
    that are held no longer, since a steward answered; `hold` those that are held again where they would fall apart,
    since the answer was taken back.
    """
    kept = frozenset(p for p, row in standing.profiles.items() if row.held) - release | hold
    home = {r: s.profile_id for r, s in standing.records.items()}
    decisions: list[Decision] = []
    refusals: list[tuple[Edge, ReasonCode]] = []
    parted: list[Parts] = []
    waiting: set[Id] = set()
    for component, edges in _dirty_components(standing, policy):
        if len(component) == 1:  # by far the most: nobody else is near, so there is nothing to weigh
            (alone,) = component
            if home[alone] is None:
                decisions.append(Created(new_id(), component))
            continue
        decided = _decide_component(component, edges, standing, model, policy, new_id, claims or {}, kept)
        decisions += decided.decisions
        refusals += decided.refused
        parted += decided.parted
        waiting |= decided.waiting
    after = dict(home)
    for decision in decisions:
        if not isinstance(decision, Review):
            target = decision.profile_id if isinstance(decision, Linked | Created) else decision.target
            after.update(dict.fromkeys(decision.records, target))
    settled = {r: p for r, p in after.items() if p is not None}
    profiles = _profiles_after(standing, decisions, settled, policy, now)
    touched = {p for r in standing.dirty for p in (home[r], settled.get(r)) if p is not None}
    contents = {r: standing.records[r].record for parts in parted for part in parts for r in part}
    proposals = tuple(proposal(settled[min(p[0])], p, contents, model, policy) for p in parted)
    holding = {p.profile for p in proposals}
    changed = {p for p in profiles if profiles[p].change != "golden"}
    reviewed = frozenset(touched | changed | holding | waiting)
    return Settlement(
        decisions=tuple(decisions),
        profiles=profiles,
        moves={r: p for r, p in settled.items() if home[r] != p},
        reviews=_reviews(standing, settled, refusals, reviewed, policy),
        reviewed=reviewed,
        proposals=proposals,
        held={
            p: p in holding
            for p in reviewed
            if (p in holding) != (p in standing.profiles and standing.profiles[p].held)
        },
    )


def _dirty_components(standing: Neighbourhood, policy: Policy) -> Iterator[tuple[frozenset[Id], list[Edge]]]:
    """Records that hang together by standing in one profile, by an edge that could merge, or by a must-link.

    Only components with a dirty record, each with the edges between its records.
    """
    by_profile: defaultdict[Id, list[Id]] = defaultdict(list)
    for r, stored in standing.records.items():
        if stored.profile_id is not None:
            by_profile[stored.profile_id].append(r)
    mergeable = ((e.low, e.high) for e in standing.edges if e.comparison.confidence >= policy.auto_merge)
    musts = (c.left | c.right for c in standing.constraints if c.kind is ConstraintKind.MUST_LINK)
    components = connected(standing.records, chain(by_profile.values(), mergeable, musts))
    at = {r: n for n, component in enumerate(components) for r in component}
    edges: defaultdict[int, list[Edge]] = defaultdict(list)
    for edge in standing.edges:
        n = at.get(edge.low)
        if n is not None and n == at.get(edge.high):
            edges[n].append(edge)
    for n in sorted({at[r] for r in standing.dirty}):
        yield components[n], edges[n]


def _claimed(
    claims: Mapping[Id, frozenset[Id]], component: frozenset[Id], standing: Neighbourhood
) -> dict[Id, frozenset[Id]]:
    """The claims to be decided in a component. A profile that comes back does so in one place only: where the oldest
    record is that it had. One that stands is where its records are."""
    found = {}
    for profile, had in claims.items():
        known = had & standing.records.keys()
        row = standing.profiles.get(profile)
        if row is not None and not row.is_merged:
            known = frozenset(r for r in known if standing.records[r].profile_id == profile)
        elif known and min(known, key=lambda r: _age(r, standing)) not in component:
            continue
        if here := known & component:
            found[profile] = here
    return found


def _age(record: Id, standing: Neighbourhood) -> tuple[datetime, Id]:
    return standing.records[record].activity.first_seen, record


class _Decided(NamedTuple):
    """What came of a component; `parted` are the parts of each profile that is held together, `waiting` the profiles
    that were held before."""

    decisions: tuple[Decision, ...]
    refused: tuple[tuple[Edge, ReasonCode], ...]
    parted: list[Parts]
    waiting: frozenset[Id]


def _decide_component(
    component: frozenset[Id],
    edges: Sequence[Edge],
    standing: Neighbourhood,
    model: Model,
    policy: Policy,
    new_id: Callable[[], Id],
    claims: Mapping[Id, frozenset[Id]],
    kept: frozenset[Id],
) -> _Decided:
    records = {r: standing.records[r].record for r in sorted(component)}
    partition = free = cluster(records, edges, standing.constraints, model, policy)
    members: defaultdict[Id, set[Id]] = defaultdict(set)
    for r in component:
        profile = standing.records[r].profile_id
        if profile is not None:
            members[profile].add(r)
    before = [
        StandingProfile(p, standing.profiles[p].created_at, frozenset(m)) for p, m in sorted(members.items())
    ]
    waiting = frozenset(p for p in members if standing.profiles[p].held)
    held = to_hold(
        {p.profile_id: p.records for p in before},
        kept,
        standing.doubts,
        free,
        policy,
    )
    if held:
        holding = as_constraints(sides_held(held, free, standing.constraints))
        partition = cluster(records, edges, (*standing.constraints, *holding), model, policy)
    first_seen = {r: standing.records[r].activity.first_seen for r in component}
    mine = _claimed(claims, component, standing)
    doubts = {standing.doubts[r] for r in component if r in standing.doubts}
    because = next((d for d in _WEIGHTIEST if d in doubts), ReasonCode.BETTER_CLUSTER)
    decisions = decide(before, partition, first_seen, new_id, mine, because)
    return _Decided(
        tuple(d for d in decisions if not isinstance(d, Review)),
        partition.refused,
        parts_held(held, free, partition),
        waiting,
    )


_WEIGHTIEST = (ReasonCode.SHARED_IDENTIFIER, ReasonCode.BLOCK_OVERFULL)
"""Of several reasons to doubt a profile the one that is told."""


@dataclass(slots=True)
class _Change:
    kind: str = "golden"
    merged_into: Id | None = None


_RANK = ("golden", "linked", "created", "split", "merged")


def _profiles_after(
    standing: Neighbourhood,
    decisions: Iterable[Decision],
    settled: Mapping[Id, Id],
    policy: Policy,
    now: datetime,
) -> dict[Id, ProfileAfter]:
    """Every profile whose records, golden values or consent changed."""
    changes: defaultdict[Id, _Change] = defaultdict(_Change)

    def note(profile: Id, kind: str) -> None:
        if _RANK.index(kind) > _RANK.index(changes[profile].kind):
            changes[profile].kind = kind

    for decision in decisions:
        match decision:
            case Linked(profile_id=profile):
                note(profile, "linked")
            case Created(profile_id=profile):
                note(profile, "created")
            case Merged(source=source, target=target):
                note(source, "merged")
                note(target, "merged")
                changes[source].merged_into = target
            case Split(source=source, target=target):
                note(source, "split")
                note(target, "split")
            case Review():
                pass
    members: defaultdict[Id, set[Id]] = defaultdict(set)
    for r, p in settled.items():
        members[p].add(r)
    after: dict[Id, ProfileAfter] = {}
    for profile in sorted(set(standing.profiles) | set(changes)):
        row = standing.profiles.get(profile)
        golden = golden_record(
            [(standing.records[r].record, standing.records[r].activity) for r in sorted(members[profile])],
            policy,
        )
        same = profile not in changes and profile not in standing.restated
        if same and (row is None or row.is_merged or row.golden == golden.winners):
            continue
        change = changes[profile]
        after[profile] = ProfileAfter(
            profile_id=profile,
            version=1 if row is None else row.version + 1,
            is_new=row is None,
            created_at=now if row is None else row.created_at,
            records=frozenset(members[profile]),
            golden=golden.winners,
            contested=golden.contested,
            change=change.kind,
            merged_into=change.merged_into,
        )
    return after


@dataclass(slots=True)
class _Pairs:
    best: dict[tuple[Id, Id], Edge] = field(default_factory=dict)

    def offer(self, one: Id, other: Id, edge: Edge) -> None:
        pair = (one, other) if one < other else (other, one)
        stands = self.best.get(pair)
        if stands is None or _rank(edge) < _rank(stands):
            self.best[pair] = edge


def _rank(edge: Edge) -> tuple[float, Id, Id]:
    return (-edge.comparison.weight, edge.low, edge.high)


def _reviews(
    standing: Neighbourhood,
    settled: Mapping[Id, Id],
    refusals: Iterable[tuple[Edge, ReasonCode]],
    reviewed: frozenset[Id],
    policy: Policy,
) -> tuple[Review, ...]:
    """One review for each pair of profiles with evidence worth a steward's look, on its best edge."""
    pairs = _Pairs()
    for edge in standing.edges:
        if edge.comparison.confidence < policy.review:
            continue
        low, high = (settled.get(r) or standing.outside.get(r) for r in (edge.low, edge.high))
        if low and high and low != high and (low in reviewed or high in reviewed):
            pairs.offer(low, high, edge)
    reasons = {}
    for edge, reason in refusals:
        pair = (settled[edge.low], settled[edge.high])
        reasons[min(pair), max(pair)] = reason
    members: defaultdict[Id, set[Id]] = defaultdict(set)
    for r, p in (*settled.items(), *standing.outside.items()):
        members[p].add(r)
    found = []
    for (low, high), edge in sorted(pairs.best.items()):
        if any(c.parts(members[low], members[high]) for c in standing.constraints):
            continue  # a steward or a rollback already answered
        refusal = reasons.get((low, high))
        if refusal is None and not standing.outside.keys().isdisjoint((edge.low, edge.high)):
            refusal = ReasonCode.NEIGHBOURHOOD_TOO_LARGE  # what could be merged is loaded otherwise
        found.append(Review(low, high, edge, _reason(edge, refusal, policy)))
    return tuple(found)


def _reason(edge: Edge, refusal: ReasonCode | None, policy: Policy) -> ReasonCode:
    if edge.comparison.veto is not None:
        return edge.comparison.veto
    if edge.comparison.confidence < policy.auto_merge:
        return ReasonCode.SCORE_IN_REVIEW_BAND
    return refusal or ReasonCode.INCOHERENT_CLUSTER

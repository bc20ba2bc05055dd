"""Take records out of a profile: a cannot-link between them and the rest, and everything is clustered afresh."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from pipeline.errors import BadInput, Conflict, NotFound, TransactionConflict
from pipeline.identity.ids import Id
from pipeline.identity.settle import Settlement
from pipeline.identity.undo import taken_out
from pipeline.matching import Found
from pipeline.steward import Act, Deciding, Stewardship
from pipeline.store.steward_actions import Deed, Entry
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import Unmerged, moves_of, plan_of, weighed


def take_out(
    stewardship: Stewardship,
    profile: Id,
    records: Collection[Id],
    events: Collection[Id],
    asked: Asked,
) -> Unmerged:
    """Take these records, and those that these events speak of, out of a profile, which keeps its id and the rest.

    They make a customer of their own, several if nothing holds them together, or join one they belong to. Raises
    NotFound (no such profile), BadInput (a record or event that the profile does not have, nothing chosen, nothing
    left, a blank reason), Conflict (merged away; not what the plan says), StoreUnavailable,
    TransactionConflict.
    """
    act = partial(_take_out, profile=profile, records=records, events=events, asked=asked)
    return asked.act(stewardship, act)


def _take_out(
    act: Act, profile: Id, records: Collection[Id], events: Collection[Id], asked: Asked
) -> Unmerged:
    members = _members(act, profile)
    chosen = _chosen(act, members, records, events)
    found, settlement = part(act, profile, members, chosen)
    moves = moves_of(found, settlement)
    plan = plan_of(chosen, moves)
    asked.must_come_to(plan)
    carried = act.carry_out(found, settlement)
    profiles = {profile, *(p for m in moves for p in (m.source, m.target))}
    act.note(Entry(Deed.SPLIT, profiles, [e.merge_log_id for e in carried.logged]))
    return Unmerged.of((), weighed(act.tx, moves), carried.reviews, plan, asked.rehearse)


def part(
    act: Deciding, profile: Id, members: frozenset[Id], chosen: frozenset[Id]
) -> tuple[Found, Settlement]:
    """Decide a profile afresh without the chosen of its members. Raises TransactionConflict."""
    act.constrain(taken_out(chosen, members))
    found = act.gather(frozenset((profile,)))
    if act.store.members((profile,)) != members:
        raise TransactionConflict("the profile moved before it was locked")
    return found, act.settle(found, claims={profile: members - chosen})


def _members(act: Act, profile: Id) -> frozenset[Id]:
    row = act.tx.row("profile_to_part", (profile,))
    if row is None:
        raise NotFound(f"no profile {profile}")
    if row[0] is not None:
        raise Conflict(f"profile {profile} was merged into {row[0]}: take the records out of that one")
    return act.store.members((profile,))


def _chosen(
    act: Act, members: frozenset[Id], records: Collection[Id], events: Collection[Id]
) -> frozenset[Id]:
    spoken_of: dict[Id, Id] = dict(act.tx.rows("spoken_of", (list(events),))) if events else {}
    for field, asked, theirs in (
        ("records", set(records), members),
        ("events", set(events), {e for e, r in spoken_of.items() if r in members}),
    ):
        if strange := asked - theirs:
            raise BadInput(field, f"{min(strange)} is not of this profile; look them up in its events")
    chosen = frozenset(records) | frozenset(spoken_of.values())
    if not chosen:
        raise BadInput(
            "records", "none is named; name the records, or events of theirs, that are somebody else's"
        )
    if chosen == members:
        raise BadInput("records", "these are all it has: nothing would be left; leave out those that stay")
    return chosen

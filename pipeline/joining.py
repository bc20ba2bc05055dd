"""Join profiles on a steward's word alone: a must-link between their records, and everything is decided afresh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pipeline.errors import BadInput, Conflict, NotFound, TransactionConflict
from pipeline.identity.answer import RecordSet, came_true, constraints, is_forbidden
from pipeline.identity.ids import Id
from pipeline.identity.settle import Settlement
from pipeline.matching import Found
from pipeline.steward import Act, Deciding, Stewardship
from pipeline.store.steward_actions import Deed, Entry
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import Move, moves_of, plan_of, weighed

MOST = 10
"""Profiles that may be joined at once."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Joined:
    """What joining did, or would do (`rehearsed`).

    `profile_id` holds the records of all; `merge_log_ids` tell a merge each of the others, and none in a rehearsal.
    `plan` names what moves where: whoever gives it with the act gets this or nothing. `asked` and `retired` are how
    many reviews came and went.
    """

    profile_id: Id
    merge_log_ids: tuple[Id, ...]
    moves: tuple[Move, ...]
    asked: int
    retired: int
    plan: str
    rehearsed: bool


def join_profiles(stewardship: Stewardship, profiles: Sequence[Id], asked: Asked) -> Joined:
    """Make one customer of these profiles, whatever the evidence says; records that come later keep to it.

    Raises BadInput (fewer than two, too many, one twice, a blank reason), NotFound (no such profile), Conflict (one was
    merged away, is held, was forgotten, or somebody said that they are two people; not what the plan says),
    StoreUnavailable, TransactionConflict (the neighbourhood kept moving under several attempts).
    """
    for place, profile in enumerate(profiles):
        if profile in profiles[:place]:
            raise BadInput("profiles", f"{profile} is named twice; name each once")
    if not 1 < len(profiles) <= MOST:
        raise BadInput("profiles", f"{len(profiles)} are named; name 2 to {MOST}")
    action = partial(_join, profiles=profiles, asked=asked)
    return asked.act(stewardship, action)


def _join(act: Act, profiles: Sequence[Id], asked: Asked) -> Joined:
    _must_stand(act, profiles)
    sides, found, settlement = unite(act, profiles)
    _may_be_joined(act, profiles, sides, found)
    standing = {r: s.profile_id for r, s in found.neighbourhood.records.items() if s.profile_id is not None}
    home = {**standing, **settlement.moves}
    if not came_true(sides, True, home):
        raise Conflict(
            "what stewards said of other records keeps these from coming together as a whole: look at the merge logs "
            "of each profile, and join fewer at a time to find which"
        )
    moves = moves_of(found, settlement)
    plan = plan_of(profiles, moves)
    asked.must_come_to(plan)
    carried = act.carry_out(found, settlement)
    logged = tuple(e.merge_log_id for e in carried.logged)
    act.note(Entry(Deed.MERGE, profiles, logged))
    came = sum(review.status == "pending" for review in carried.reviews)
    (into,) = {home[r] for side in sides for r in side if r in home}
    went = len(carried.reviews) - came
    told = () if asked.rehearse else logged  # they get other ids when it is done
    return Joined(into, told, weighed(act.tx, moves), came, went, plan, asked.rehearse)


def unite(act: Deciding, profiles: Sequence[Id]) -> tuple[tuple[RecordSet, ...], Found, Settlement]:
    """Decide the profiles afresh as one; their records, each profile's for itself. Raises TransactionConflict."""
    sides = _sides(act, profiles)
    for constraint in constraints(sides, are_one=True):
        act.constrain(constraint)
    found = act.gather(frozenset(profiles))
    if _sides(act, profiles) != sides:
        raise TransactionConflict("one of the profiles moved before it was locked")
    return sides, found, act.settle(found)


def _sides(act: Deciding, profiles: Sequence[Id]) -> tuple[RecordSet, ...]:
    return tuple(act.store.members((profile,)) for profile in profiles)


def _must_stand(act: Act, profiles: Sequence[Id]) -> None:
    """Raises NotFound, and Conflict where a profile was merged away."""
    survivors: dict[Id, Id] = dict(act.tx.rows("survivors", (list(profiles),)))
    for profile in profiles:
        into = survivors.get(profile)
        if into is None:
            raise NotFound(f"no profile {profile}")
        if into != profile:
            mend = (
                "which is named as well: they are one already; leave it out"
                if into in profiles
                else "name that one instead"
            )
            raise Conflict(f"profile {profile} was merged into {into}, {mend}")


def _may_be_joined(act: Act, profiles: Sequence[Id], sides: Sequence[RecordSet], found: Found) -> None:
    """Raises Conflict where something else has to be said first, or was."""
    for profile, side in zip(profiles, sides, strict=True):
        if side.isdisjoint(found.neighbourhood.records):
            raise Conflict(
                f"nothing of profile {profile} can be read any more, as its person was forgotten: leave it out"
            )
        if found.neighbourhood.profiles[profile].held:
            raise Conflict(
                f"profile {profile} waits for an answer whether it is to be split: answer review "
                f"{_proposed(act, profile)} first"
            )
    if is_forbidden(sides, found.neighbourhood.constraints):
        raise Conflict(_forbidden(act, profiles, sides))


def _proposed(act: Act, profile: Id) -> Id | None:
    rows = act.tx.rows("pending_reviews", {"profiles": [profile]})
    return next((review for review, low, high, *_ in rows if low == high), None)


def _forbidden(act: Act, profiles: Sequence[Id], sides: Sequence[RecordSet]) -> str:
    """Who said that two of them are two people, and what to do about it."""
    records = sorted(RecordSet().union(*sides))
    for constraint, actor, at, reason, left, right in act.tx.rows(
        "cannot_links_between", {"records": records}
    ):
        lefts, rights = ([n for n, side in enumerate(sides) if side.intersection(k)] for k in (left, right))
        for n, m in ((n, m) for n in lefts for m in rights if n != m):
            way = _way_out(profiles[n], sides[n], left) or _way_out(profiles[m], sides[m], right)
            return (
                f"{actor} said on {at:%Y-%m-%d} that records of {profiles[n]} and of {profiles[m]} are two people "
                f'("{reason}"), which outweighs it: {f"{way}; or " if way else ""}revoke constraint {constraint} first'
            )
    return "a steward or a rollback said that records of these are two people, which outweighs it"


def _way_out(profile: Id, side: RecordSet, named: Sequence[Id]) -> str | None:
    """None where all its records are meant, so that none would be left to be joined."""
    meant = sorted(side.intersection(named))
    if len(meant) == len(side):
        return None
    more = f" and {len(meant) - _SHOWN} more" if len(meant) > _SHOWN else ""
    shown = ", ".join(map(str, meant[:_SHOWN]))
    return f"take those records ({shown}{more}) out of {profile} first, by a split, then join the rest"

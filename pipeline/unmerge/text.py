"""An unmerge, or a merge by hand, rehearsed or done, in words for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.joining import Joined
from pipeline.unmerge.outcome import Destination, Move, UndoneMerge, Unmerged

_SHOWN = 20


def told(found: Unmerged) -> str:
    """One unmerge, every line of it."""
    return "\n".join(_lines(found)) + "\n"


def told_many(found: Sequence[Unmerged], plan: str) -> str:
    """Many: each one's lines, as far as they can be read, and what they come to."""
    lines = [line for one in found[:_SHOWN] for line in (*_lines(one, with_plan=False), "")]
    if len(found) > _SHOWN:
        lines.append(f"... and {len(found) - _SHOWN} groups more (--json tells all)")
    merges = [m for one in found for m in one.merges]
    blocked = sum(m.blocked is not None for m in merges)
    moves = [m for one in found for m in one.moves]
    rehearsed = any(one.rehearsed for one in found)
    undone, move = ("would be undone", "would move") if rehearsed else ("undone", "moved")
    records, events = sum(len(m.records) for m in moves), sum(m.events for m in moves)
    lines.append(
        f"{_counted(len(merges) - blocked, 'merge')} {undone}, {blocked} not; "
        f"{_counted(records, 'record')} and {_counted(events, 'event')} {move}."
    )
    if rehearsed and moves:
        lines.append(how_to(plan))
    return "\n".join(lines) + "\n"


def told_joined(found: Joined) -> str:
    """Profiles that were joined, or would be."""
    would = "would be" if found.rehearsed else "are"
    lines = [f"They {would} one customer, {found.profile_id}, and no later event parts them."]
    lines += [move_told(move) for move in found.moves]
    lines += reviews_told(found.asked, found.retired)
    if found.rehearsed:
        lines.append(how_to(found.plan))
    else:
        lines += [f"To undo it: retail-brain merge rollback {m}" for m in found.merge_log_ids]
    return "\n".join(lines) + "\n"


def _lines(found: Unmerged, *, with_plan: bool = True) -> Iterator[str]:
    for merge in found.merges:
        yield _merge(merge, found.rehearsed)
    yield from (move_told(move) for move in found.moves)
    yield from reviews_told(found.asked, found.retired)
    if found.rehearsed and with_plan:
        yield how_to(found.plan)


def _merge(merge: UndoneMerge, rehearsed: bool) -> str:
    if merge.blocked is not None:
        return (
            f"Merge {merge.merge_log_id} {'cannot be' if rehearsed else 'was not'} undone: {merge.blocked}."
        )
    return (
        f"Merge {merge.merge_log_id} {'would be' if rehearsed else 'is'} undone: {merge.restored} and {merge.kept} "
        f"{'would be' if rehearsed else 'are'} two customers, and no later event joins them."
    )


_INTO = {
    Destination.RESTORED: "{}, which comes back under its old id",
    Destination.NEW: "{}, a new profile",
    Destination.STANDING: "{}, where they belong",
}


def move_told(move: Move) -> str:
    """What goes where, as a line."""
    what = ", ".join(
        _counted(n, word)
        for n, word in (
            (len(move.records), "record"),
            (move.events, "event"),
            (move.identifiers, "identifier"),
        )
    )
    return f"  {what}: from {move.source} to {_INTO[move.destination].format(move.target)}."


def _counted(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def reviews_told(asked: int, retired: int) -> Iterator[str]:
    """How many reviews came and went, as a line; none where none did."""
    if asked or retired:
        yield f"  Reviews: {asked} new, {retired} obsolete."


def how_to(plan: str) -> str:
    """How what was rehearsed is done."""
    return f"Nothing was done. To do just this: the same command with --plan {plan} instead of --dry-run."

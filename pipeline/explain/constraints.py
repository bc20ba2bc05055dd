"""What stewards said of records as text for stewards, and what became of taking it back."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from pipeline.identity.ids import Id
from pipeline.identity.model import ConstraintKind
from pipeline.revoking import Revoked
from pipeline.store.constraints import StoredConstraint
from pipeline.unmerge.text import how_to, move_told, reviews_told

_WIDTH = 110
_SHOWN = 3


def listed(found: Sequence[StoredConstraint], limit: int) -> str:
    """A few lines each, ending with a line break."""
    if not found:
        return "Nothing of the kind was said.\n"
    lines = [line for one in found[:limit] for line in (*_short(one), "")]
    if len(found) > limit:
        lines.append("There are more: raise --limit to see them.")
    elif any(one.revoked_at is None for one in found):
        lines.append(
            "`retail-brain constraints revoke ID --reason WHY --dry-run` says what taking one back would do."
        )
    return "\n".join(lines).rstrip() + "\n"


def shown(one: StoredConstraint) -> str:
    """All of one, ending with a line break."""
    return "\n".join((*_short(one), *_records(one), f"  ETag {one.etag}")) + "\n"


def told_revoked(done: Revoked) -> str:
    """What revoking did, or would do."""
    would = "would be" if done.rehearsed else "is"
    what = "Constraint " + ", ".join(map(str, done.constraint_ids))
    if done.review_id is not None:
        what = f"The answer to review {done.review_id}"
    lines = [f"{what} {would} taken back."]
    lines += [move_told(move) for move in done.moves] or ["  No record moves."]
    lines += reviews_told(done.asked, done.retired)
    if done.rehearsed:
        lines.append(how_to(done.plan))
    elif done.merge_log_ids:
        lines.append(f"In the merge log: {', '.join(map(str, done.merge_log_ids))}.")
    return "\n".join(lines) + "\n"


def _short(one: StoredConstraint) -> Iterator[str]:
    stands = "stands" if one.revoked_at is None else f"revoked on {one.revoked_at:%Y-%m-%d %H:%M}"
    yield f"{one.constraint_id}  {one.kind}, {stands}"
    yield from _wrapped(_said(one))
    yield from _wrapped(f'Said by {one.actor} on {one.created_at:%Y-%m-%d}: "{one.reason}".')
    if one.review_id is not None:
        yield from _wrapped(f"It answers review {one.review_id}, of a {one.review_kind}.")
    if one.revoked_at is not None:
        yield from _wrapped(f'Taken back by {one.revoked_by}: "{one.revoke_reason}".')


def _said(one: StoredConstraint) -> str:
    left, right = (
        f"{len(records):,} record{'' if len(records) == 1 else 's'} (now of {_few(profiles)})"
        for records, profiles in (
            (one.left_records, one.left_profiles),
            (one.right_records, one.right_profiles),
        )
    )
    number = "one customer" if one.kind == ConstraintKind.MUST_LINK else "two customers"
    return f"{left} and {right} are {number}."


def _records(one: StoredConstraint) -> Iterator[str]:
    for side, records in (("Left", one.left_records), ("Right", one.right_records)):
        yield from _wrapped(f"{side}: {_few(records)}")


def _few(ids: Sequence[Id]) -> str:
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return (", ".join(map(str, ids[:_SHOWN])) or "nobody") + more


def _wrapped(said: str) -> list[str]:
    return textwrap.wrap(said, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)

"""For whom a review waits, and from when on: given to a steward, or put aside for a while. Neither answers it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from pipeline.answer import must_be_open
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.identity.ids import Id
from pipeline.seen import Seen, must_be_as_seen
from pipeline.steward import Act, Stewardship
from pipeline.store.reviews import StoredReview, read_review
from pipeline.store.steward_actions import UNTOLD, Deed, Entry, Occasion

LONGEST = timedelta(days=366)
"""How long a review may be put aside at a time."""


def assign_review(
    stewardship: Stewardship,
    review_id: Id,
    to: str | None,
    actor: str,
    reason: str | None,
    now: datetime,
    *,
    seen: Seen = None,
    occasion: Occasion = UNTOLD,
) -> StoredReview:
    """Give a review to a steward, or to nobody. Given to whom it is given already, nothing changes.

    Raises NotFound, PreconditionFailed (it is not what was seen), Conflict (it no longer waits; it is somebody else's
    than the actor's, and was not told as it was seen), BadInput (a blank reason), StoreUnavailable.
    """
    action = partial(_assign, review_id=review_id, to=to, actor=actor, seen=seen)
    return stewardship.act(action, actor, reason, now, occasion=occasion)


def skip_review(
    stewardship: Stewardship,
    review_id: Id,
    until: datetime,
    actor: str,
    reason: str,
    now: datetime,
    *,
    seen: Seen = None,
    occasion: Occasion = UNTOLD,
) -> StoredReview:
    """Put a review aside until a moment: it is left out of what waits, and comes back by itself.

    Raises NotFound, PreconditionFailed, Conflict (it no longer waits), BadInput (`until` is not ahead, or too far; a
    blank reason), StoreUnavailable.
    """
    if until <= now:
        raise BadInput("until", "it has passed; send a moment to come")
    if until > now + LONGEST:
        raise BadInput("until", f"it is more than {LONGEST.days} days ahead; send an earlier moment")
    action = partial(_skip, review_id=review_id, until=until, reason=reason, seen=seen)
    return stewardship.act(action, actor, reason, now, occasion=occasion)


class _Waiting(NamedTuple):
    """What a review that waits shows of whom and what it waits for."""

    kind: str
    status: str
    updated_at: datetime
    etag: str
    assigned_to: str | None
    skipped_until: datetime | None
    skip_reason: str | None
    low: Id
    high: Id


def _assign(act: Act, review_id: Id, to: str | None, actor: str, seen: Seen) -> StoredReview:
    review = _locked(act, review_id, seen)
    holder = review.assigned_to
    if holder not in (None, to, actor) and seen is None:
        raise Conflict(
            f"review {review_id} is assigned to {holder}: to take it from them, read it and send its ETag along "
            "(If-Match, or --etag)"
        )
    if holder != to:
        act.tx.run("assign_review", (to, review_id))
        given = {"assigned_to": to, "was_assigned_to": holder}
        act.note(Entry(Deed.ASSIGN, (review.low, review.high), review_id=review_id, details=given))
    return read_review(act.tx, review_id)


def _skip(act: Act, review_id: Id, until: datetime, reason: str, seen: Seen) -> StoredReview:
    review = _locked(act, review_id, seen)
    if (review.skipped_until, review.skip_reason) != (until, reason):
        act.tx.run("skip_review", (until, reason, review_id))
        aside = {"until": until}
        act.note(Entry(Deed.SKIP, (review.low, review.high), review_id=review_id, details=aside))
    return read_review(act.tx, review_id)


def _locked(act: Act, review_id: Id, seen: Seen) -> _Waiting:
    """The review, which nobody changes until the act has ended."""
    row = act.tx.row("lock_review", (review_id,))
    if row is None:
        raise NotFound(f"no review {review_id}")
    review = _Waiting(*row)
    must_be_as_seen(f"review {review_id}", review.etag, seen)
    must_be_open(act.tx, review_id, review.kind, review.status, review.updated_at)
    return review

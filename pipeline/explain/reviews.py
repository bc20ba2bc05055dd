"""Reviews and answers as text for stewards: what is asked, what an answer would do, and what it did."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pipeline.answer import Answer, Answered
from pipeline.codes import EXPLANATIONS, ReasonCode
from pipeline.explain import words
from pipeline.store.review_writer import MERGE
from pipeline.store.reviews import ReviewPage, StoredReview

_WIDTH = 110
_RECORDS_SHOWN = 3


def listed(page: ReviewPage, status: str) -> str:
    """A few lines a review, ending with a line break."""
    if not page.reviews:
        return f"No review is {status}.\n"
    lines = [line for review in page.reviews for line in (*_short(review), "")]
    more = page.total - len(page.reviews)
    if more:
        lines.append(f"{more} more: raise --limit to see them.")
    elif status == "pending":
        lines.append("`retail-brain review show ID` explains one; `approve ID` or `reject ID` answers it.")
    return "\n".join(lines).rstrip() + "\n"


def asked(review: StoredReview) -> str:
    """All of a review but its evidence, ending with a line break."""
    etag = f"  ETag {review.etag}"
    return "\n".join((*_short(review), *_parts(review), *_choices(review), etag)) + "\n"


def placed(review: StoredReview) -> str:
    """A review that was given to somebody or put aside, ending with a line break."""
    return "\n".join(_short(review)) + "\n"


def done(answered: Answered) -> str:
    """What an answer did."""
    one = len(answered.profiles) == 1
    where = f"profile {answered.profiles[0]}" if one else f"{len(answered.profiles)} profiles"
    stand = "one customer" if one else "customers of their own"
    lines = [f"{answered.status.capitalize()}. The records in question are {stand}, and stay so: {where}."]
    if not one:
        lines += [f"  {p}" for p in answered.profiles]
    if answered.merge_log_ids:
        lines.append(f"In the merge log: {', '.join(map(str, answered.merge_log_ids))}.")
    else:
        lines.append("Nothing had to move.")
    return "\n".join(lines)


def _short(review: StoredReview) -> Iterator[str]:
    yield f"{review.review_id}  {review.kind}, {review.status} since {review.updated_at:%Y-%m-%d %H:%M}"
    sure = words.percent(review.confidence_score)
    if review.kind == MERGE:
        yield f"  Are {review.low_profile} and {review.high_profile} one customer? ({sure})"
    else:
        parts = len(review.parts)
        yield f"  Is {review.low_profile} {parts} customers? ({sure} that its largest part and the rest are one)"
    yield from _wrapped(EXPLANATIONS[ReasonCode(review.reason)])
    if review.assigned_to is not None:
        yield from _wrapped(f"Assigned to {review.assigned_to}.")
    if review.skipped_until is not None and review.status == "pending":
        yield from _wrapped(f'Put aside until {review.skipped_until:%Y-%m-%d %H:%M}: "{review.skip_reason}".')
    if review.answered_by is not None:
        yield from _wrapped(f'Answered by {review.answered_by}: "{review.answer_reason}".')
    if review.revoked_by is not None:
        yield from _wrapped(f'Taken back by {review.revoked_by}: "{review.revoke_reason}".')


def _parts(review: StoredReview) -> Iterator[str]:
    for number, part in enumerate(review.parts, start=1):
        shown = ", ".join(map(str, part[:_RECORDS_SHOWN]))
        more = f" and {len(part) - _RECORDS_SHOWN} more" if len(part) > _RECORDS_SHOWN else ""
        yield from _wrapped(f"Part {number}: {shown}{more}")


_WOULD = {
    (True, Answer.APPROVED): "merges the two; later records of theirs stay together.",
    (True, Answer.REJECTED): "keeps them two customers for good; it is not asked again.",
    (False, Answer.APPROVED): "splits the profile into these parts and keeps them apart for good.",
    (False, Answer.REJECTED): "keeps the profile whole; it is not proposed again.",
}


def _choices(review: StoredReview) -> Iterator[str]:
    if review.status == "pending":
        for answer, command in ((Answer.APPROVED, "approve"), (Answer.REJECTED, "reject")):
            yield f"  `{command}` {_WOULD[review.kind == MERGE, answer]}"
    elif review.status in tuple(Answer):
        yield f"  `retail-brain constraints revoke {review.constraint_id}` takes the answer back."


def _wrapped(said: str) -> list[str]:
    return textwrap.wrap(said, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)

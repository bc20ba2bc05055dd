"""Answer many reviews alike: each in a transaction of its own, each answered or refused for itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pipeline.answer import Answer, Answered, answer_review
from pipeline.errors import RetailBrainError, StoreUnavailable
from pipeline.identity.ids import Id
from pipeline.seen import Seen
from pipeline.steward import Stewardship, must_say_why


class ToAnswer(NamedTuple):
    """A review, and what of it was seen."""

    review_id: Id
    seen: Seen = None


def answer_many(
    stewardship: Stewardship,
    asked: Sequence[ToAnswer],
    answer: Answer,
    actor: str,
    reason: str,
    now: datetime,
) -> list[Answered | RetailBrainError]:
    """What came of each, in their order: the answer, or why it was not given (what `answer_review` raises).

    One answer may make a later review obsolete. Once the store is away the rest is not tried. Raises BadInput (a blank
    reason).
    """
    must_say_why(reason)
    found: list[Answered | RetailBrainError] = []
    for one in asked:
        try:
            found.append(answer_review(stewardship, one.review_id, answer, actor, reason, now, seen=one.seen))
        except StoreUnavailable as exc:
            found += [exc] * (len(asked) - len(found))
            break
        except RetailBrainError as exc:
            found.append(exc)
    return found

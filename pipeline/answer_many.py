"""Answer many reviews alike: each in a transaction of its own, each answered or refused for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from pipeline.answer import Answer, Answered, answer_review
from pipeline.errors import RetailBrainError, StoreUnavailable
from pipeline.identity.ids import Id
from pipeline.reasons import must_say_why
from pipeline.seen import Seen
from pipeline.steward import Stewardship
from pipeline.store.steward_actions import UNTOLD, Occasion


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
    occasion: Occasion = UNTOLD,
) -> list[Answered | RetailBrainError]:
    """What came of each, in their order: the answer, or why it was not given (what `answer_review` raises).

    One answer may make a later review obsolete. Once the store is away the rest is not tried. Raises BadInput (a blank
    reason).
    """
    must_say_why(reason)
    occasion = replace(occasion, in_bulk=True)
    give = partial(
        answer_review, stewardship, answer=answer, actor=actor, reason=reason, now=now, occasion=occasion
    )
    found: list[Answered | RetailBrainError] = []
    for one in asked:
        try:
            found.append(give(review_id=one.review_id, seen=one.seen))
        except StoreUnavailable as exc:
            found += [exc] * (len(asked) - len(found))
            break
        except RetailBrainError as exc:
            found.append(exc)
    return found

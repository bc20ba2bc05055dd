"""A customer's timeline: events, decisions and what stewards said, newest first, in pages that stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from gateway.cursors import MAX_CURSOR, Cursors
from gateway.customer_models import ActionEntry, DecisionEntry, Entry, EventEntry, QueueEntry, Timeline
from gateway.documentation import errors
from gateway.links import leading_to, link
from gateway.paging import MAX_LIMIT
from gateway.ports import ports_of
from gateway.rights import caller_of, needs
from gateway.rows import event_of
from gateway.survivors import led_to
from gateway.taken import Text
from pipeline.api_keys.scope import Scope

router = APIRouter(prefix="/v1/profiles", tags=["profiles"], dependencies=[needs(Scope.READ)])

Row = Mapping[str, object]


class _List(NamedTuple):
    """One of the lists that make a timeline. `rank` orders what happened at the same time."""

    rank: int
    query: str
    key: str
    entry: Callable[[Row], Entry]


def _event(row: Row) -> Entry:
    event = event_of(row)
    return EventEntry(at=event.occurred_at, event=event)


_LISTS = {
    "events": (_List(0, "timeline_events", "event_id", _event),),
    "decisions": (_List(1, "timeline_decisions", "merge_log_id", DecisionEntry.model_validate),),
    "actions": (
        _List(2, "timeline_actions", "action_id", ActionEntry.model_validate),
        _List(3, "timeline_revocations", "action_id", ActionEntry.model_validate),
        _List(4, "timeline_queue", "action_id", QueueEntry.model_validate),
    ),
}
_FRONT = (
    "infinity",
    1 + max(one.rank for lists in _LISTS.values() for one in lists),
    str(UUID(int=2**128 - 1)),
)


_NEXT = link(
    "get_timeline",
    "The page behind this one.",
    {
        "profile_id": "$request.path.profile_id",
        "only": "$request.query.only",
        "cursor": "$response.body#/next",
    },
)


@router.get(
    "/{profile_id}/timeline",
    responses={**leading_to({"next": _NEXT}), **errors(400, 404, 503)},
    summary="What happened to a customer",
)
async def get_timeline(
    request: Request,
    profile_id: UUID,
    only: Annotated[
        Literal["events", "decisions", "actions"] | None,
        Query(
            description="Only events; only merges, splits and rollbacks; or only what stewards said and did."
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Entries a page.")] = 20,
    cursor: Annotated[
        Text | None, Query(max_length=MAX_CURSOR, description="`next` of the page before.")
    ] = None,
) -> Timeline:
    """Events at the time they happened, merges, splits and rollbacks, and what stewards said and did, in one list.

    Newest first. What stewards said are answers and constraints, and that one was taken back; what they did about
    reviews is to give them to somebody, or to put them aside. The events are those of the records that the profile has
    now. Its merges and splits, and what was done about its reviews, include those of profiles that are merged into it.
    What comes while pages are read moves none of them: an entry never comes twice, and none that was there is passed
    over. Who decided or said something, why, and of whose records, is told to keys with the scope `steward`.
    """
    ports = ports_of(request)
    cursors = Cursors(ports.ring, "timeline", profile_id, only)
    at, rank, last = cursors.read(cursor) if cursor else _FRONT
    lists = [one for name, several in _LISTS.items() if only in (None, name) for one in several]
    async with ports.store.snapshot() as read:
        led = await led_to(read, profile_id)
        before = {"profile_id": led.profile_id, "at": at, "rank": rank, "id": last, "limit": limit + 1}
        rows = [(one, row) for one in lists for row in await read.rows(one.query, before)]
    found: list[tuple[tuple[datetime, int, UUID], Entry]] = []
    for one, row in rows:
        entry = one.entry(row)
        found.append(((entry.at, one.rank, row[one.key]), entry))
    steward = caller_of(request).holds(Scope.STEWARD)
    found.sort(key=lambda placed: placed[0], reverse=True)
    page = found[:limit]
    return Timeline(
        **led._asdict(),
        data=[entry if steward else entry.for_readers() for _, entry in page],
        next=_behind(cursors, *page[-1][0]) if len(found) > limit else None,
    )


def _behind(cursors: Cursors, at: datetime, rank: int, last: UUID) -> str:
    return cursors.write((at.isoformat(), rank, str(last)))

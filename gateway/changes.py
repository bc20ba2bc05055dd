"""The change feed over HTTP: what consumers of the topics get, for those without Kafka."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.documentation import errors
from gateway.feed.feed import Start
from gateway.feed.response import EventStream
from gateway.feed.stream import Allowed
from gateway.ports import ports_of
from gateway.rights import needs
from gateway.taken import Text
from pipeline.api_keys.scope import Scope
from pipeline.changes.kinds import ChangeType
from pipeline.changes.position import MOST_TEXT, decode
from pipeline.changes.wanted import NAMES, Wanted, types_of
from pipeline.errors import BadInput

router = APIRouter(prefix="/v1", tags=["changes"], dependencies=[needs(Scope.READ)])

_EXAMPLE = (
    "retry: 1000\n: beat\nid: AQYAAAAAAADH1f0S\n\n"
    "id: AQYBAAAAAABbQ1-x\nevent: profile.created\n"
    'data: {"id":"profiles-updates-0-0","type":"profile.created","timestamp":"2026-01-31T09:30:01.612000Z",'
    '"profile_id":"019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10","version":1,"data":{"status":"active"}}\n\n'
)
_EVENT: dict[str, object] = {
    "type": "object",
    "description": "One event. Without `data` it only says the place that the stream has come to.",
    "properties": {
        "id": {"type": "string", "description": "Go on after it by Last-Event-ID."},
        "event": {"type": "string", "enum": [*sorted(ChangeType), "feed.ended"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {
            "type": ["integer", "string"],
            "description": "Milliseconds until it may be connected again.",
        },
    },
}
_STREAM: dict[str, object] = {
    "description": "Server-sent events, until either side ends.",
    "content": {"text/event-stream": {"schema": _EVENT, "example": _EXAMPLE}},
}
_TYPE = f"({'|'.join(map(re.escape, NAMES))})"
Place = Annotated[
    Text | None, Query(max_length=MOST_TEXT, description="As Last-Event-ID, which goes before it.")
]


@router.get(
    "/changes",
    response_class=Response,
    responses={**errors(400, 410, 431, 503), 200: _STREAM},
    summary="Changes as they come",
)
async def get_changes(
    request: Request,
    last_event_id: Annotated[
        str | None,
        Header(max_length=MOST_TEXT, description="The id of the last event that came: goes on after it."),
    ] = None,
    after: Place = None,
    start: Annotated[
        Literal["earliest", "latest"],
        Query(
            alias="from",
            description="Where to begin without such an id: with all there is, or what comes now.",
        ),
    ] = "latest",
    type_: Annotated[
        Text | None,
        Query(
            alias="type",
            max_length=1_000,
            examples=["profile.updated,profile.merged"],
            json_schema_extra={"pattern": f"^{_TYPE}(,{_TYPE})*$"},
            description="Only these types, by commas; `profile.*` is all that begin so.",
        ),
    ] = None,
    profile: Annotated[UUID | None, Query(description="Only what speaks of this profile.")] = None,
    seconds: Annotated[
        float | None, Query(gt=0, le=86_400, description="End the stream after so long; not given: never.")
    ] = None,
) -> Response:
    """What consumers of the topics get, as server-sent events: each change of a profile in order, at least once, and
    none left out between two ids. Cut off, connect again with `Last-Event-ID` (browsers do so by themselves). Comments
    come while nothing else does, with the id to go on after. 410 where the topics no longer hold what came after that
    id. `feed.ended` says why a stream ends. docs/change-feed.md."""
    ports = ports_of(request)
    wanted = Wanted(
        types_of(filter(None, (type_ or "").split(","))), None if profile is None else str(profile)
    )
    begin = _start(last_event_id, after, start, wanted)
    subscription = await ports.feed.subscribe(begin, wanted, _allowed(request), seconds)
    return EventStream(subscription, ports.settings.feed_patience_ms / 1_000)


def _allowed(request: Request) -> Allowed:
    """Whether the key a request came with still opens the feed: not once it was revoked, rotated out or expired."""
    keys, given = ports_of(request).keys, request.headers["authorization"].encode("latin-1")

    async def allowed() -> bool:
        caller = await keys.caller(given)
        return caller is not None and Scope.READ in caller.scopes

    return allowed


def _start(
    last: str | None, after: str | None, begin: Literal["earliest", "latest"], wanted: Wanted
) -> Start:
    if not (last or after):
        return begin
    field = "Last-Event-ID" if last else "after"
    position = decode(last or after or "", field)
    told = {topic for topic, _ in position}
    if missing := [topic for topic in wanted.topics if topic not in told]:
        raise BadInput(
            field,
            f"it says no place in {', '.join(missing)}: it came of other types; send it with those, or start these "
            "with from=latest",
        )
    return {place: at for place, at in position.items() if place[0] in wanted.topics}

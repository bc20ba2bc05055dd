"""All that is known of one person, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import StreamingResponse

from gateway.documentation import errors
from gateway.ports import ports_of
from gateway.revealing import explained, tell_exported
from gateway.rights import caller_of, needs
from gateway.survivors import led_to
from pipeline.api_keys.scope import Scope
from pipeline.identity.ids import Id

router = APIRouter(prefix="/v1/profiles", tags=["privacy"], dependencies=[needs(Scope.PRIVACY)])


@router.get(
    "/{profile_id}/export",
    response_class=StreamingResponse,
    responses={
        **errors(400, 404, 503),
        200: {
            "description": "One document of JSON; docs/portability.md describes it.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
    },
    summary="All that is known of a customer",
    dependencies=[Depends(explained)],
)
async def get_export(request: Request, profile_id: UUID) -> StreamingResponse:
    """In the clear, as of one moment: the golden record and where each value comes from, identity records, events as
    they were sent, decisions, reviews, what stewards said, and to whom it went. The audit log tells who was given it.
    """
    ports = ports_of(request)
    led = await led_to(ports.store, profile_id)
    pieces = ports.export(Id(led.profile_id.bytes), caller_of(request).actor)
    first = await asyncio.to_thread(next, pieces)  # an error becomes an answer of its own until here
    try:
        await tell_exported(request, led.profile_id)
    except BaseException:
        await asyncio.to_thread(pieces.close)  # nobody reads the rest, and somebody waits for the room
        raise
    return StreamingResponse(_with(first, pieces), media_type="application/json")


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest

"""Values as they are instead of masked: for keys with the scope `read:pii`, where the request asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from starlette.requests import Request

from gateway.envelope import request_id_of
from gateway.rights import caller_of
from pipeline.api_keys.scope import Scope
from pipeline.log import get_audit_logger


async def _asked(
    request: Request,
    reveal: Annotated[
        bool,
        Query(
            description="Identifiers as they are, not masked: needs the scope `read:pii` as well. It is logged."
        ),
    ] = False,
) -> bool:
    if reveal:
        caller_of(request).must_hold(Scope.READ_PII)
    return reveal


Reveal = Annotated[bool, Depends(_asked)]
"""Whether the request asks for values as they are. 403 where its key lacks `read:pii`."""


async def note_revealed(request: Request, profile_ids: Iterable[UUID]) -> None:
    """Say who is about to read whose values, before they go out: a route that reveals calls this, and nothing else
    tells of it. `profile_ids` are all whose values go out: where records of another profile are told of, it as well. It
    is told whatever RB_LOG_LEVEL says."""
    caller = caller_of(request)
    for profile_id in profile_ids:
        get_audit_logger().info(
            "identifiers revealed",
            profile_id=str(profile_id),
            actor=caller.actor,
            api_key=caller.name,
            request_id=request_id_of(request),
        )

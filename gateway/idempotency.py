"""`Idempotency-Key`: a write sent again is answered as it was the first time, and not done again.

For a day, by caller and key (gateway/answers.py). While Redis is away writes are done without this memory: an event
without an id still gets one made of the key and what it says, and what a steward does twice changes nothing the second
time. https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

from fastapi.routing import APIRoute
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from gateway.answers import UNDER_WAY_S, Answer, Place
from gateway.direct import DirectRoute, Handle
from gateway.envelope import error_response
from gateway.ports import ports_of
from gateway.rights import caller_of
from pipeline.codes import ErrorCode
from pipeline.errors import BadInput
from pipeline.log import get_logger

HEADER = "Idempotency-Key"
KEY = r"^[!-~]([ -~]{0,253}[!-~])?$"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SAID = (
    "content-type",
    "if-match",
    "prefer",
)  # headers that change what is asked, beside those of CloudEvents


class OnceRoute(APIRoute):
    """A route whose writes may come with an Idempotency-Key."""

    def get_route_handler(self) -> Handle:
        """FastAPI's own, behind the memory of answers."""
        handle = super().get_route_handler()
        if _WRITES.isdisjoint(self.methods or ()):
            return handle

        async def once(request: Request) -> Response:
            key = key_of(request)
            return await (handle(request) if key is None else _answer(request, key, handle))

        return once


class DirectOnceRoute(OnceRoute, DirectRoute):
    """Both: writes that FastAPI has nothing to solve of."""


def key_of(request: Request) -> str | None:
    """The key that a write came with, if any. Raises BadInput."""
    key = request.headers.get(HEADER)
    if key is not None and not re.fullmatch(KEY, key):
        raise BadInput(
            HEADER, f"{len(key)} characters; send 1 to 255 printable ones of ASCII, such as a UUID"
        )
    return key


async def _answer(request: Request, key: str, handle: Handle) -> Response:
    """As it was answered before, or is now."""
    ports, asked = ports_of(request), await _asked(request)
    place = Place(ports.redis, ports.ring, caller_of(request).name, key, asked)
    standing = await _tried(place.begin())
    if standing is not None:
        return _again(request, standing, asked)
    done: Answer | None = None
    try:
        async with _going_on(place):
            response = await handle(request)
        if response.status_code < 500:
            done = Answer(asked, response.status_code, bytes(response.body), _kept(response))
        return response
    finally:
        await _tried(place.end(done))


async def _asked(request: Request) -> str:
    """What tells this write from others: method, path, query, what headers say of it, and body, as a hash."""
    said = [f"{request.method} {request.url.path}?{request.url.query}"]
    said += [f"{n}: {v}" for n, v in request.headers.items() if n in _SAID or n.startswith("ce-")]
    digest = hashlib.sha256("\n".join(said).encode())
    digest.update(b"\n" + await request.body())
    return digest.hexdigest()


async def _tried(step: Awaitable[Answer | None]) -> Answer | None:
    """What comes of a step with Redis; None where it is away: the write does not wait for it."""
    try:
        return await step
    except (RedisError, OSError) as exc:
        get_logger().warning("redis is away: a write is not remembered", cause=type(exc).__name__)
        return None


@asynccontextmanager
async def _going_on(place: Place) -> AsyncIterator[None]:
    """The mark stands as long as the write takes."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(UNDER_WAY_S / 3)
            with suppress(RedisError, OSError):  # it is tried again in time
                await place.go_on()

    renewing = asyncio.create_task(renew(), name="idempotency")
    try:
        yield
    finally:
        renewing.cancel()


def _again(request: Request, standing: Answer, asked: str) -> Response:
    request_id = request.state.request_id
    if standing.asked != asked:
        message = f"{HEADER}: it was used for another request before; send each write under a key of its own"
        return error_response(422, ErrorCode.IDEMPOTENCY_KEY_REUSED, message, request_id)
    if not standing.status:
        message = f"{HEADER}: a write with this key is under way; send it again in a moment"
        return error_response(409, ErrorCode.CONFLICT, message, request_id, headers={"Retry-After": "1"})
    return Response(standing.body, standing.status, {**dict(standing.headers), "Idempotent-Replayed": "true"})


def _kept(response: Response) -> tuple[tuple[str, str], ...]:
    return tuple((n, v) for n, v in response.headers.items() if n != "content-length")

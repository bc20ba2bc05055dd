"""`Idempotency-Key`: a write sent again is answered as it was the first time, and not done again.

For a day, by caller and key. What was answered is sealed under the key ring; the body is remembered by its hash. While
Redis is away writes are done without this memory: an event without an id still gets one made of the key, and what a
steward does twice changes nothing the second time. draft-ietf-httpapi-idempotency-key-header-07
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

import orjson
from fastapi.routing import APIRoute
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from gateway.envelope import error_response
from gateway.ports import Ports, ports_of
from gateway.rights import caller_of
from pipeline.codes import ErrorCode
from pipeline.errors import BadInput
from pipeline.identity.ids import Id
from pipeline.log import get_logger
from pipeline.privacy.seal import open_sealed, seal

HEADER = "Idempotency-Key"
KEPT_S = 86_400
UNDER_WAY_S = 120
_MOST = 255
_CONTEXT = b"idempotency:answer:"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

Handle = Callable[[Request], Coroutine[None, None, Response]]


class OnceRoute(APIRoute):
    """A route whose writes may come with an Idempotency-Key."""

    def get_route_handler(self) -> Handle:
        """FastAPI's own, behind the memory of answers."""
        handle = super().get_route_handler()
        if _WRITES.isdisjoint(self.methods or ()):
            return handle

        async def once(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if key is None:
                return await handle(request)
            if not (0 < len(key) <= _MOST and key.isprintable()):
                raise BadInput(
                    HEADER, f"{len(key)} characters; send 1 to {_MOST} printable ones, such as a UUID"
                )
            return await _Once(ports_of(request), request, key).answer(handle)

        return once


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is remembered of a write: who asked for what, and the answer; none while it is under way."""

    asked: str
    status: int = 0
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class _Once:
    """One write that is to be done once."""

    def __init__(self, ports: Ports, request: Request, key: str) -> None:
        self._ports = ports
        self._request = request
        named = hashlib.sha256(f"{caller_of(request).name}\n{key}".encode()).digest()
        self._owner = Id(named[:16])
        self._name = f"rb:once:{named.hex()}"

    async def answer(self, handle: Handle) -> Response:
        """As it was answered before, or is now."""
        asked = await self._asked()
        try:
            standing = await self._begin(asked)
        except (RedisError, OSError) as exc:
            get_logger().warning("redis is away: a write is not remembered", cause=type(exc).__name__)
            return await handle(self._request)
        if standing is not None:
            return self._again(standing, asked)
        done = _Answer(asked)
        try:
            response = await handle(self._request)
            if response.status_code < 500:
                done = _Answer(asked, response.status_code, bytes(response.body), _kept(response))
            return response
        finally:
            await self._quietly(self._end(done))

    async def _asked(self) -> str:
        """What tells this write from others: method, path, query and body, as a hash."""
        request = self._request
        digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
        digest.update(await request.body())
        return digest.hexdigest()

    async def _begin(self, asked: str) -> _Answer | None:
        """None where this write is the first of its key, which is noted; else what stands."""
        redis = self._ports.redis
        if await redis.set(self._name, self._sealed(_Answer(asked)), nx=True, ex=UNDER_WAY_S):
            return None
        stands = await redis.get(self._name)
        return None if stands is None else self._opened(stands)  # it ended between the two

    async def _end(self, done: _Answer) -> None:
        """Remember the answer; forget a write that failed, so that it can be tried again."""
        if done.status:
            await self._ports.redis.set(self._name, self._sealed(done), ex=KEPT_S)
        else:
            await self._ports.redis.delete(self._name)

    async def _quietly(self, ending: Awaitable[None]) -> None:
        """The write is done; whether it is remembered does not change its answer."""
        try:
            await ending
        except (RedisError, OSError) as exc:
            get_logger().warning("redis is away: a write is not remembered", cause=type(exc).__name__)

    def _again(self, standing: _Answer, asked: str) -> Response:
        request_id = self._request.state.request_id
        if standing.asked != asked:
            message = (
                f"{HEADER}: it was used for another request before; send each write under a key of its own"
            )
            return error_response(422, ErrorCode.IDEMPOTENCY_KEY_REUSED, message, request_id)
        if not standing.status:
            message = f"{HEADER}: a write with this key is under way; send it again in a moment"
            return error_response(409, ErrorCode.CONFLICT, message, request_id, headers={"Retry-After": "1"})
        return Response(
            standing.body, standing.status, {**dict(standing.headers), "Idempotent-Replayed": "true"}
        )

    def _sealed(self, answer: _Answer) -> str:
        key = self._ports.ring.new_data_key(self._owner)
        told = [answer.asked, answer.status, answer.body.decode("latin-1"), answer.headers]
        sealed = seal(key.plain, orjson.dumps(told), _CONTEXT + self._owner)
        return orjson.dumps([key.version, key.wrapped.hex(), sealed.hex()]).decode()

    def _opened(self, text: str | bytes) -> _Answer:
        version, wrapped, sealed = orjson.loads(text)
        key = self._ports.ring.unwrap(bytes.fromhex(wrapped), version, self._owner)
        asked, status, body, headers = orjson.loads(
            open_sealed(key, bytes.fromhex(sealed), _CONTEXT + self._owner)
        )
        return _Answer(asked, status, body.encode("latin-1"), tuple((n, v) for n, v in headers))


def _kept(response: Response) -> tuple[tuple[str, str], ...]:
    return tuple((n, v) for n, v in response.headers.items() if n != "content-length")

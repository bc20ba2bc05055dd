"""One POST to a target, and what became of it: in time, within bounds, to a checked address, no redirect followed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial

import httpcore

from pipeline.webhooks.targets import LookUp, Target, TargetRefused, addresses, look_up

_MOST_ANSWER = (
    16_384  # bytes read of an answer's body, so that its connection can be used again; none are kept
)
_IDLE_S = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt. `status` is the answer's, if one came whole; `error` None where it was accepted.

    `gone` is said by a receiver that wants no more (410); `retry_after_s` by one that wants to be left alone so long.
    """

    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the receiver has it now, as it says."""
        return self.error is None

    @property
    def gone(self) -> bool:
        """See the class."""
        return self.status == 410


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked a moment before. TLS and `Host` go by the name."""

    def __init__(self, threads: ThreadPoolExecutor, allow_private: bool, resolve: LookUp) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._threads = threads
        self._check = partial(addresses, allow_private=allow_private, resolve=resolve)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """See httpcore. Raises TargetRefused."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._check, Target("", host, port, ""))
        failure: Exception | None = None
        for address in found:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure or httpcore.ConnectError(host)

    async def sleep(self, seconds: float) -> None:
        """See httpcore."""
        await self._inner.sleep(seconds)


class Sender:
    """Sends to one target over at most `connections`. `close` it."""

    def __init__(
        self,
        target: Target,
        threads: ThreadPoolExecutor,
        *,
        timeout_s: float,
        allow_private: bool = False,
        connections: int = 1,
        resolve: LookUp = look_up,
    ) -> None:
        self._url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        self._host = _host_header(target)
        self._timeout_s = timeout_s
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_IDLE_S,
            network_backend=_Guarded(threads, allow_private, resolve),
        )

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send once. Whatever the target does, it takes no longer than the timeout, and nothing is raised."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(body, headers)
        except TimeoutError:
            return Outcome(error=f"no whole answer within {self._timeout_s:g} s")
        except TargetRefused as exc:
            return Outcome(error=str(exc))
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as exc:
            return Outcome(error=f"{type(exc).__name__}: {str(exc)[:200]}")

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        sent = {
            "Host": self._host,
            "Content-Type": "application/json",
            "User-Agent": "retail-brain-webhooks/1",
        }
        async with self._pool.stream(
            "POST",
            self._url,
            headers=list({**sent, **headers, "Content-Length": str(len(body))}.items()),
            content=body,
        ) as answer:
            read = 0
            async for part in answer.aiter_stream():
                read += len(part)
                if read > _MOST_ANSWER:  # closed rather than read: its status is all that counts
                    break
            return _judged(answer.status, {name.lower(): value for name, value in answer.headers})

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def _judged(status: int, headers: Mapping[bytes, bytes]) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status)
    if 300 <= status < 400:
        return Outcome(status, f"HTTP {status}: redirects are not followed; name the address itself")
    return Outcome(
        status, f"HTTP {status}", _retry_after_s(headers.get(b"retry-after", b"").decode("latin-1"))
    )


def _retry_after_s(text: str) -> float | None:
    """Seconds, or the time until a date (RFC 9110, 10.2.3)."""
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at - datetime.now(at.tzinfo)).total_seconds())


def _host_header(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = {"https": 443, "http": 80}[target.scheme]
    return host if target.port == usual else f"{host}:{target.port}"

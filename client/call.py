"""What is asked of the gateway and how the answer is read, apart from any way to send it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import httpx
import orjson

from pipeline.errors import GatewayUnavailable, RequestRefused

T = TypeVar("T")
_PATIENT = frozenset({429, 502, 503, 504})
_LONGEST_WAIT_S = 120.0
_SENDING = {"Content-Type": "application/json"}

Query = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. `read` makes its result of the body of a successful answer."""

    method: str
    path: str
    read: Callable[[bytes], T]
    query: Query = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The same for httpx. What is None in the query is left out."""
        return http.build_request(
            self.method,
            self.path,
            params={name: value for name, value in self.query.items() if value is not None},
            content=self.body,
            headers={**(_SENDING if self.body is not None else {}), **self.headers},
        )


class Attempts:
    """How long one call is tried: until so many seconds passed without an answer."""

    def __init__(self, seconds: float, draw: Callable[[float, float], float] = random.uniform) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._draw = draw
        self._attempt = 0

    def after(self, answer: httpx.Response) -> float | None:
        """None where the answer is one to be read, else the seconds to wait before the next attempt.

        Raises RequestRefused, and GatewayUnavailable once patience is out.
        """
        if answer.is_success:
            return None
        wait_s = _retry_after(answer)
        under_way = answer.status_code == httpx.codes.CONFLICT and wait_s is not None
        if answer.status_code not in _PATIENT and not under_way:
            raise refused(answer)
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS and wait_s:
            # it is alive: waiting for our turn costs no patience
            self._deadline = max(self._deadline, time.monotonic() + wait_s + 1)
        return self._wait(f"HTTP {answer.status_code}", wait_s)

    def without(self, lost: httpx.TransportError) -> float:
        """The seconds to wait after a connection that was lost. Raises GatewayUnavailable once patience is out."""
        return self._wait(f"{type(lost).__name__} at {lost.request.url.copy_with(query=None)}", None)

    def _wait(self, problem: str, told_s: float | None) -> float:
        """What the gateway told, else exponential back-off with full jitter, 0.1 s to 5 s."""
        wait_s = told_s or self._draw(0.05, min(5.0, 0.1 * 2 ** min(self._attempt, 10)))
        self._attempt += 1
        if time.monotonic() + wait_s > self._deadline:
            raise GatewayUnavailable(f"no answer from the gateway in {self._seconds:.0f} s: {problem}")
        return wait_s


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_WAIT_S) if text.isdigit() else None


def refused(answer: httpx.Response) -> RequestRefused:
    """What a refusal says."""
    try:
        error = cast(Mapping[str, object], orjson.loads(answer.content)["error"])
        code, message = str(error["code"]), str(error["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        url = answer.request.url.copy_with(query=None)
        return RequestRefused(answer.status_code, None, f"no Retail Brain gateway answers at {url}", None)
    return RequestRefused(answer.status_code, code, message, str(error["request_id"]))

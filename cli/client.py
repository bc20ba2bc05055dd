"""Sends batches of events to the gateway: bounded in flight, patient where waiting helps, clear where not."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from types import TracebackType

import httpx
import orjson

from pipeline.errors import BadInput, ConfigurationError, GatewayUnavailable

_PATIENT = {429, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event of a batch that the gateway refused; `index` is its place in the batch."""

    index: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch: the accepted events' ids in order, and the refusals."""

    accepted: tuple[str, ...]
    refused: tuple[Refusal, ...]


def batch_body(events: Sequence[object]) -> bytes:
    """The body of `POST /v1/events:batch`."""
    return orjson.dumps({"events": events})


class GatewayClient:
    """A connection pool to one gateway; may be used by several threads.

    Waits out 429, 503 and lost connections (Retry-After is honoured) until `patience_s` have passed without
    an answer, then raises GatewayUnavailable. Raises ConfigurationError for a wrong key or address, BadInput
    for a wrong body.
    """

    def __init__(self, url: str, api_key: str, *, patience_s: float = 60.0, lenient: bool = False) -> None:
        """`lenient`: an event with a value that cannot be used is taken without it, not refused."""
        self._preference = {"Prefer": "handling=lenient"} if lenient else {}
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=60.0, trust_env=False
        )
        self._patience_s = patience_s

    def send(self, body: bytes) -> Receipt:
        """Send one batch; returns once the broker has acknowledged its accepted events."""
        answer = self.call("POST", "/v1/events:batch", body, self._preference)
        results = orjson.loads(answer)["results"]
        return Receipt(
            accepted=tuple(r["event_id"] for r in results if not r.get("error")),
            refused=tuple(
                Refusal(r["index"], r["error"]["code"], r["error"]["message"])
                for r in results
                if r.get("error")
            ),
        )

    def send_all(self, bodies: Iterable[bytes], in_flight: int = 4) -> Iterator[Receipt]:
        """Send batches, at most `in_flight` at once; receipts come in the order of the bodies."""
        waiting: deque[Future[Receipt]] = deque()
        with ThreadPoolExecutor(in_flight, thread_name_prefix="send") as pool:
            try:
                for body in bodies:
                    if len(waiting) >= in_flight:
                        yield waiting.popleft().result()
                    waiting.append(pool.submit(self.send, body))
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def get(self, path: str) -> dict[str, object]:
        """The JSON object at the path."""
        found: dict[str, object] = orjson.loads(self.call("GET", path))
        return found

    def post(self, path: str, body: object) -> dict[str, object]:
        """The JSON object answered to a posted one."""
        found: dict[str, object] = orjson.loads(self.call("POST", path, orjson.dumps(body)))
        return found

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body of a successful answer, after as many attempts as patience allows."""
        deadline = time.monotonic() + self._patience_s
        for attempt in count():
            try:
                answer = self._http.request(
                    method,
                    path,
                    content=body,
                    headers={"Content-Type": "application/json", **(headers or {})},
                )
            except httpx.TransportError as exc:
                problem, wait = f"{type(exc).__name__} at {self._http.base_url}", _backoff(attempt)
            else:
                if answer.is_success:
                    return answer.content
                if answer.status_code not in _PATIENT:
                    raise _refused(answer)
                problem, wait = f"HTTP {answer.status_code}", _retry_after(answer) or _backoff(attempt)
                if answer.status_code == 429:  # it is alive: waiting for our turn costs no patience
                    deadline = max(deadline, time.monotonic() + wait + 1)
            if time.monotonic() + wait > deadline:
                break
            time.sleep(wait)
        raise GatewayUnavailable(f"no answer from the gateway in {self._patience_s:.0f} s: {problem}")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> GatewayClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


def _backoff(attempt: int) -> float:
    """Exponential with full jitter, 0.1 s to 5 s."""
    return random.uniform(0.05, min(5.0, 0.1 * 2 ** min(attempt, 10)))  # noqa: S311 - no secret


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), 120.0) if text.isdigit() else None


def _refused(answer: httpx.Response) -> BadInput | ConfigurationError:
    try:
        error = orjson.loads(answer.content)["error"]
        said = f"{error['code']}: {error['message']}"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        said = f"HTTP {answer.status_code} without an error envelope"
    if answer.status_code in (401, 403):
        return ConfigurationError(f"{said}; give a valid key with --api-key or RB_API_KEYS")
    if answer.status_code == 404 and b'"error"' not in answer.content:
        return ConfigurationError(f"no Retail Brain gateway answers at {answer.request.url}; check --gateway")
    return BadInput("request", said)

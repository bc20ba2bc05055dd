"""The change feed as it is read: what a stream of server-sent events says, apart from any way to read it.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, TypedDict, cast

import httpx
import orjson

from client.call import Attempts

PATH = "/v1/changes"
_ENDED = "feed.ended"


class Change(TypedDict):
    """One change, as docs/change-feed.md has it. `version` only where it is a profile's."""

    id: str
    type: str
    timestamp: str
    profile_id: str
    version: int | None
    data: dict[str, object]


@dataclass(slots=True)
class Reading:
    """One reading of the feed over as many connections as it takes. `place` is where to go on: keep it to go on with
    another one, once what came before it is dealt with. `pause_s` is how long to wait after a stream that ended in
    order; the gateway says it."""

    types: Collection[str] = ()
    profile: str | None = None
    place: str | None = None
    start: Literal["earliest", "latest"] = "latest"
    patience_s: float = 60.0
    pause_s: float = 1.0
    _said: dict[str, list[str]] = field(default_factory=dict)
    _attempts: Attempts | None = None

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """What to ask to go on. Without end: nothing says how long nothing happens."""
        asked = {"from": self.start, "type": ",".join(self.types) or None, "profile": self.profile}
        return http.build_request(
            "GET",
            PATH,
            params={name: value for name, value in asked.items() if value is not None},
            headers={"Last-Event-ID": self.place} if self.place is not None else {},
            timeout=httpx.Timeout(http.timeout.connect, read=None),
        )

    def line(self, line: str) -> Change | None:
        """The change that a line of the stream completes, if it does. The place is behind it then."""
        self._attempts = None  # it answers
        if line:
            name, _, value = line.partition(":")
            if name == "retry":
                self.pause_s = int(value) / 1_000
            elif name in ("id", "event", "data"):
                self._said.setdefault(name, []).append(value.removeprefix(" "))
            return None
        said, self._said = self._said, {}
        if "id" in said and said.get("event") != [_ENDED]:
            self.place = said["id"][-1]
        if "data" not in said or said.get("event") == [_ENDED]:
            return None
        return cast(Change, orjson.loads("\n".join(said["data"])))

    def begin(self, answer: httpx.Response) -> float | None:
        """None where the stream is to be read, else the seconds to wait before the next attempt. The body of a refusal
        has to be read. Raises RequestRefused, as where retention removed what is behind the place (410); and
        GatewayUnavailable once patience is out."""
        self._said = {}
        return self._tried().after(answer)

    def lost(self, cause: httpx.TransportError) -> float:
        """The seconds to wait after a connection that was lost. Raises GatewayUnavailable once patience is out."""
        return self._tried().without(cause)

    def _tried(self) -> Attempts:
        """It begins anew whenever anything has come."""
        self._attempts = self._attempts or Attempts(self.patience_s)
        return self._attempts

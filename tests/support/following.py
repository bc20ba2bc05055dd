"""A client of the change feed, as anybody would write one: it keeps the last id, and comes again with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import orjson

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Event:
    """An event of the stream that was there whole; `name` and `data` are empty where it only says the place."""

    id: str
    name: str
    data: dict[str, object]


def events(lines: Iterator[str]) -> Iterator[Event]:
    """The events of a stream's lines, as the standard says; what is cut off in the middle is none."""
    place = name = data = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if not line:
            yield Event(place, name, orjson.loads(data) if data else {})
            name = data = ""
        elif field == "id":
            place = value
        elif field == "event":
            name = value
        elif field == "data":
            data = value


class Follower:
    """Follows the feed at a URL; `place` is what it goes on after, `came` the changes that came."""

    def __init__(self, url: str, key: str, **query: str) -> None:
        self.url = url
        self.query = query
        self.place = ""
        self.came: list[dict[str, object]] = []
        self.ended: dict[str, object] = {}
        self._headers = {"Authorization": f"Bearer {key}"}

    @contextmanager
    def connected(self) -> Iterator[Iterator[Event]]:
        """The events from `place` on, of one connection. Raises httpx errors where it is cut."""
        headers = self._headers | ({"Last-Event-ID": self.place} if self.place else {})
        with httpx.stream(
            "GET", f"{self.url}/v1/changes", params=self.query, headers=headers, timeout=30, trust_env=False
        ) as answer:
            if answer.status_code != 200:
                answer.read()
            answer.raise_for_status()
            yield self._taken(events(answer.iter_lines()))

    def _taken(self, found: Iterator[Event]) -> Iterator[Event]:
        for event in found:
            self.place = event.id
            if event.name == "feed.ended":
                self.ended = event.data
            elif event.name:
                self.came.append(event.data)
            yield event

    def take(self, count: int) -> None:
        """So many changes more, of one connection, which is closed then."""
        wanted, came = len(self.came) + count, len(self.came)
        deadline = time.monotonic() + PATIENCE_S
        with self.connected() as found:
            while len(self.came) < wanted:
                next(found)
                if len(self.came) > came:
                    came, deadline = len(self.came), time.monotonic() + PATIENCE_S
                assert time.monotonic() < deadline, f"{wanted - came} changes do not come"

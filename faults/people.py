"""Customers that the benchmark's workload lacks: those who turn out to be one, and those a steward is asked about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from bench.names import Names, names
from bench.workload import Event

_AT = "2024-06-01T12:00:00+00:00"


@dataclass(slots=True)
class Doubtful:
    """Such customers, deterministic in (seed, order of calls).

    Half are known by an e-mail address and by a cookie, and then by both: two profiles merge. The others come with two
    loyalty cards on one address, which are two customers until a steward says otherwise. All of them come back.
    """

    seed: str
    _random: Random = field(init=False)
    _names: Names = field(default_factory=names)
    _seen: list[list[Event]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def events(self, customers: int) -> list[Event]:
        """What `customers` new ones send, and as many of those before: first by parts, then together."""
        known = self._random.sample(self._seen, min(customers, len(self._seen)))
        new = [self._one() if self._random.random() < 0.5 else self._two() for _ in range(customers)]
        self._seen += new
        parts = [event for events in new for event in events[:2]]
        self._random.shuffle(parts)
        together = [event for events in new for event in events[2:]]
        again = [self._random.choice(events) for events in known]
        self._random.shuffle(again)
        return [*parts, *together, *(self._event(e["identifiers"], e["traits"]) for e in again)]

    def _one(self) -> list[Event]:
        mail, cookie = {"email": self._mail()}, {"cookie_id": f"c-{self._random.getrandbits(64):016x}"}
        return [self._event(mail, {}), self._event(cookie, {}), self._event({**mail, **cookie}, {})]

    def _two(self) -> list[Event]:
        mail, traits = {"email": self._mail()}, self._traits()
        cards = [{**mail, "loyalty_id": f"L{self._random.randrange(10**9):09d}"} for _ in range(2)]
        return [self._event(identifiers, traits) for identifiers in (*cards, mail)]

    def _mail(self) -> str:
        return f"guest{self._random.getrandbits(48):x}@{self._random.choice(self._names.mail_hosts)}".lower()

    def _traits(self) -> dict[str, str]:
        draw, words = self._random, self._names
        return {
            "first_name": draw.choice(words.first_names),
            "last_name": draw.choice(words.surnames),
            "date_of_birth": f"{draw.randrange(1940, 2004)}-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}",
        }

    def _event(self, identifiers: object, traits: object) -> Event:
        return {
            "source": "web",
            "event_type": "page_view",
            "event_id": str(UUID(int=self._random.getrandbits(128), version=4)),
            "occurred_at": _AT,
            "identifiers": identifiers,
            "traits": traits,
            "payload": {},
        }


def mixed(draw: Random, *streams: Sequence[Event]) -> Iterator[Event]:
    """All events of the streams, each stream in its order, at places that are drawn."""
    turns = [n for n, stream in enumerate(streams) for _ in stream]
    draw.shuffle(turns)
    left = [iter(stream) for stream in streams]
    return (next(left[n]) for n in turns)

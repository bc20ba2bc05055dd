"""The stated, seeded workload: known customers coming back, known ones with something new, and new ones.

Shares of the measured part (`Shares`): 70 % repeat a record that was sent before; 15 % are a known customer
with a new identifier or a misspelt name (half each); 15 % are somebody new. All people are made up.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bench.names import Names, names

Event = dict[str, object]
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_STEP = timedelta(milliseconds=1)  # between two events: a thousand a second by the events' own clock
_SKUS = 5_000
_CHANNELS = ("web", "web", "app", "pos", "crm", "loyalty")


@dataclass(frozen=True, slots=True)
class Shares:
    """What part of the events is what; the rest is new customers."""

    repeat: float = 0.70
    changed: float = 0.15


@dataclass(frozen=True, slots=True)
class Record:
    """What one source knows of a customer: sent again unchanged, it is the same identity record."""

    customer: int
    source: str
    identifiers: dict[str, str]
    traits: dict[str, str]


@dataclass(slots=True)
class Workload:
    """Deterministic in (seed, order of calls). `records` are all that were sent so far."""

    seed: int
    shares: Shares = field(default_factory=Shares)
    records: list[Record] = field(default_factory=list)
    customers: int = 0
    _random: random.Random = field(init=False)
    _names: Names = field(default_factory=names)
    _sent: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def warm_up(self, count: int) -> Iterator[Event]:
        """`count` events, each of a new customer: who the measured part comes back to."""
        return (self._event(self._new_customer()) for _ in range(count))

    def measured(self, count: int) -> Iterator[Event]:
        """`count` events in the stated shares. Needs a warm-up of at least one event before."""
        for _ in range(count):
            draw = self._random.random()
            if draw < self.shares.repeat:
                yield self._event(self._known())
            elif draw < self.shares.repeat + self.shares.changed:
                yield self._event(self._changed(self._known()))
            else:
                yield self._event(self._new_customer())

    def _known(self) -> Record:
        """Some customers come far more often than others: the busiest 1 % make 10 % of the visits."""
        return self.records[int(len(self.records) * self._random.random() ** 2)]

    def _new_customer(self) -> Record:
        draw = self._random
        self.customers += 1
        first, last = draw.choice(self._names.first_names), draw.choice(self._names.surnames)
        born = datetime(1940, 1, 1, tzinfo=UTC) + timedelta(days=draw.randrange(24_000))
        city, state, postcode = draw.choice(self._names.cities)
        identifiers = {"phone": self._phone(), "email": self._email(first, last)}
        if draw.random() < 0.4:
            identifiers["loyalty_id"] = f"L{draw.randrange(10**9):09d}"
        traits = {
            "first_name": first,
            "last_name": last,
            "date_of_birth": born.date().isoformat(),
            "address": f"{draw.randrange(1, 2_000)} {draw.choice(self._names.streets)}",
            "city": city,
            "state": state,
            "postcode": str(postcode + draw.randrange(90)),
        }
        return self._remember(Record(self.customers, draw.choice(_CHANNELS), identifiers, traits))

    def _changed(self, record: Record) -> Record:
        """A new identifier beside the known phone and e-mail, or a misspelt name."""
        draw = self._random
        if draw.random() < 0.5:
            kind = draw.choice(("cookie_id", "device_id", "whatsapp", "crm_id"))
            value = self._phone() if kind == "whatsapp" else f"{kind[0]}-{draw.getrandbits(64):016x}"
            return self._remember(replace(record, identifiers={**record.identifiers, kind: value}))
        which = draw.choice(("first_name", "last_name"))
        traits = {**record.traits, which: self._misspelt(record.traits[which])}
        return self._remember(replace(record, traits=traits))

    def _misspelt(self, name: str) -> str:
        if len(name) < 3:  # misspelt so often that nothing is left to swap or leave out
            return name + self._random.choice("aeiorstn")
        at = self._random.randrange(1, len(name) - 1)
        kind = self._random.randrange(3)
        if kind == 0:  # two letters swapped
            return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        if kind == 1:  # one left out
            return name[:at] + name[at + 1 :]
        return name[:at] + self._random.choice("aeiorstn") + name[at + 1 :]

    def _phone(self) -> str:
        draw = self._random
        return f"+1{draw.choice(self._names.area_codes)}{draw.randrange(2, 10)}{draw.randrange(10**6):06d}"

    def _email(self, first: str, last: str) -> str:
        draw = self._random
        user = f"{first}{draw.choice(('.', '_', ''))}{last}{draw.randrange(1, 100_000)}"
        return f"{user}@{draw.choice(self._names.mail_hosts)}".lower()

    def _remember(self, record: Record) -> Record:
        self.records.append(record)
        return record

    def _event(self, record: Record) -> Event:
        draw = self._random
        self._sent += 1
        payload: Event = {}
        if draw.random() < 0.5:
            payload = self._order()
        if record.source == "pos":
            payload["store"] = f"store-{record.customer % 50:02d}"
        return {
            "source": record.source,
            "event_type": "purchase" if "items" in payload else "page_view",
            "event_id": str(UUID(int=draw.getrandbits(128), version=4)),
            "occurred_at": (_EPOCH + self._sent * _STEP).isoformat(),
            "identifiers": record.identifiers,
            "traits": record.traits,
            "payload": payload,
        }

    def _order(self) -> Event:
        """One to three products; the cheap, popular ones are bought most."""
        draw = self._random
        numbers = [int(_SKUS * draw.random() ** 3) for _ in range(draw.randrange(1, 4))]
        prices = [5 + number % 200 for number in numbers]
        items = [
            {"sku": f"sku-{number:04d}", "quantity": 1, "price": price}
            for number, price in zip(numbers, prices, strict=True)
        ]
        return {"amount": sum(prices), "currency": "USD", "items": items}

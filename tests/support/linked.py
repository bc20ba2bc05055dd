"""A deterministic stream of profiles.updates and events.linked, and what must come of it."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from uuid import UUID, uuid5

from confluent_kafka import Producer

from pipeline.settings import Settings
from pipeline.stream.kafka import producer_config
from schemas.codec import Codec, load_codec

_SPACE = UUID("00000000-0000-0000-0000-00000000c0de")
START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def uid(name: str) -> str:
    """A fixed UUID for a name."""
    return str(uuid5(_SPACE, name))


def state(
    profile: str, version: int, records: Iterable[str], merged_into: str | None = None, **consent: str
) -> dict[str, object]:
    """A ProfileState; `consent` by purpose."""
    return {
        "profile_id": uid(profile),
        "version": version,
        "status": "merged" if merged_into else "active",
        "merged_into": uid(merged_into) if merged_into else None,
        "change": "merged" if merged_into else "linked",
        "created_at": START,
        "updated_at": START,
        "record_ids": sorted(uid(r) for r in records),
        "identifiers": [],
        "golden_record": {},
        "consent": [
            {"purpose": purpose, "state": said, "at": START, "source": "web"}
            for purpose, said in consent.items()
        ],
    }


def linked(
    profile: str,
    version: int,
    record: str,
    skus: Sequence[str] = (),
    *,
    at: datetime = START,
    channel: str | None = "web",
    store: str | None = None,
    amount: float = 0.0,
    currency: str | None = "EUR",
) -> dict[str, object]:
    """A LinkedEvent; with skus or an amount it is an order."""
    order = {
        "amount": amount,
        "currency": currency,
        "items": [{"sku": s, "quantity": 1.0, "price": None} for s in skus],
    }
    return {
        "event_id": uid(f"{profile}{version}{record}{skus}{at}"),
        "profile_id": uid(profile),
        "profile_version": version,
        "record_id": uid(record),
        "decision": "linked",
        "source": "test",
        "event_type": "order",
        "occurred_at": at,
        "accepted_at": datetime(2026, 6, 1, tzinfo=UTC),
        "committed_at": datetime(2026, 6, 1, tzinfo=UTC),
        "channel": channel,
        "store": store,
        "order": order if skus or amount else None,
    }


@dataclass(frozen=True)
class Told:
    """A message: topic, profile (the key), and its value; None is a tombstone."""

    topic: str
    profile: str
    value: Mapping[str, object] | None


def history(seed: int, steps: int) -> list[Told]:
    """Purchases of a world of profiles that merge, split and get records; each state has the next version."""
    chance = random.Random(seed)
    holds: dict[str, set[str]] = {}
    versions: Counter[str] = Counter()
    told: list[Told] = []

    def tell(profile: str, merged_into: str | None = None) -> None:
        versions[profile] += 1
        value = state(profile, versions[profile], () if merged_into else holds[profile], merged_into)
        told.append(Told("profiles.updates", profile, value))

    for step in range(steps):
        alive = sorted(p for p in holds if holds[p])
        kind = chance.choices(["buy", "new", "record", "merge", "split"], [10, 3, 3, 2, 2])[0]
        if kind == "new" or len(alive) < 2:
            profile = f"p{step}"
            holds[profile] = {f"r{step}"}
            tell(profile)
        elif kind == "record":
            profile = chance.choice(alive)
            holds[profile].add(f"r{step}")
            tell(profile)
        elif kind == "merge":
            target, source = chance.sample(alive, 2)
            holds[target] |= holds[source]
            holds[source] = set()
            tell(target)
            tell(source, merged_into=target)
        elif kind == "split":
            profile = chance.choice(alive)
            if len(holds[profile]) > 1:
                part = set(chance.sample(sorted(holds[profile]), len(holds[profile]) // 2))
                holds[profile] -= part
                other = f"p{step}"
                holds[other] = part
                tell(profile)
                tell(other)
        else:
            profile = chance.choice(alive)
            skus = sorted({f"sku-{chance.randint(1, 12)}" for _ in range(chance.randint(1, 3))})
            event = linked(
                profile,
                versions[profile],
                chance.choice(sorted(holds[profile])),
                skus,
                at=START + timedelta(seconds=chance.randint(0, 3 * 3_600)),
                channel=chance.choice(["web", "app", "pos"]),
                store=chance.choice([None, "s1", "s2"]),
                amount=chance.randint(1, 9_999) / 100,
                currency=chance.choice(["EUR", "USD"]),
            )
            told.append(Told("events.linked", profile, event))
    return told


def expected_items(told: Sequence[Told]) -> dict[str, set[str]]:
    """The items each living profile owns in the end, by its id."""
    bought: dict[str, set[str]] = defaultdict(set)
    final: dict[str, Mapping[str, object] | None] = {}
    for message in told:
        if message.topic == "profiles.updates":
            final[uid(message.profile)] = message.value
        elif message.value is not None:
            order = message.value["order"]
            assert isinstance(order, dict)
            bought[str(message.value["record_id"])] |= {i["sku"] for i in order["items"]}
    owned = {}
    for profile, value in final.items():
        records = value["record_ids"] if value else []
        assert isinstance(records, list)
        items = set().union(*(bought[r] for r in records))
        if items:
            owned[profile] = items
    return owned


def expected_counts(owned: Mapping[str, set[str]]) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Owners by item, and owners by ordered pair of items."""
    popular: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    for items in owned.values():
        popular.update(items)
        for a, b in combinations(sorted(items), 2):
            together.update([(a, b), (b, a)])
    return popular, together


def publish(settings: Settings, told: Iterable[Told], codec: Codec | None = None) -> None:
    """Produce the messages as the relay would, and wait for the broker."""
    codec = codec or load_codec(settings)
    client = Producer(producer_config(settings, "test"))
    for message in told:
        value = None if message.value is None else codec.encode(message.topic, message.value)
        client.produce(settings.topic(message.topic), value, uid(message.profile).encode())
        client.poll(0)
    assert client.flush(30) == 0

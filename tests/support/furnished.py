"""A gateway in front of a house in which there is something of everything: customers, merges, questions, letters,
webhooks and what was sent to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
import orjson
from confluent_kafka import Producer

from pipeline.settings import Settings
from tests.integration.test_dead_letters import BAD
from tests.support.processes import gateway, process, resolved
from tests.support.receiver import receiving
from tests.support.worker import eventually

STAGES = ("pipeline.normalize_stage", "pipeline.resolve_stage", "pipeline.stream.relay")
CONSUMERS = ("consumers.recommendations", "consumers.embeddings", "consumers.webhooks.process")
FREE = {
    "rate_limit_per_minute": 0,
    "refused_limit_per_minute": 0,
    "webhook_allow_private": True,
    "webhook_max": 1_000,
}
HOME = {"street": "Washington Avenue", "street_number": "12", "postcode": "60601", "city": "Chicago"}
LETTERS, QUESTIONS, SPARES, DELIVERIES = 12, 9, 12, 8


class Customers(NamedTuple):
    """Profiles that had several records, profiles of one, some to be forgotten, and one that shares its home."""

    merged: Sequence[str]
    bare: Sequence[str]
    forgettable: Sequence[str]
    neighbour: str


@dataclass(frozen=True)
class There:
    """Ids of what is there. A steward is asked about the profile `asked`; the letter `mended` can be replayed."""

    url: str
    key: str
    receiver: str
    customers: Customers
    asked: str
    forgotten: str
    merges: Sequence[str]
    reviews: Sequence[str]
    constraints: Sequence[str]
    letters: Sequence[str]
    mended: str
    webhook: str
    spares: Sequence[str]
    deliveries: Sequence[str]
    record: str
    schemas: Mapping[str, str]
    schema_id: int


@contextmanager
def furnished(house: Settings, folder: Path) -> Iterator[tuple[httpx.Client, There]]:
    """The gateway and the stages behind it, and what is there; what consumers make of it is made."""
    settings = house.model_copy(update=FREE)
    with ExitStack() as running, ExitStack() as consuming:
        receiver = running.enter_context(receiving())
        client = running.enter_context(gateway(settings, folder / "gateway.log"))
        for modules, until in ((STAGES, running), (CONSUMERS, consuming)):
            for module in modules:
                until.enter_context(process(module, settings, folder / f"{module}.log"))
        webhook, *spares = (_webhook(client, receiver.url("/a")) for _ in range(1 + SPARES))
        _bad_events(settings)
        there = _there(client, receiver.url("/b"), webhook, spares, _customers(client))
        consuming.close()  # each webhook that is added has a reader of its own
        yield client, there


def _customers(client: httpx.Client) -> Customers:
    """And others that wait for an answer whether they are one."""
    merged = []
    for n in range(3):
        mail, phone = {"email": f"anna{n}@postbox.io"}, {"phone": f"+1415555010{n}"}
        _sent(client, mail, ["CD-1", "CD-2"])
        _sent(client, phone, ["CD-1", "CD-3"])
        merged.append(_sent(client, {**mail, **phone}, ["CD-2"]))
    bare, forgettable = (
        [_sent(client, {"email": f"{name}{n}@postbox.io"}, ["CD-1"]) for n in range(4)]
        for name in ("bea", "cyd")
    )
    for n in range(QUESTIONS):
        anna = {
            "first_name": f"Anna{'abcdefghi'[n]}",
            "last_name": "Kowalski",
            "date_of_birth": f"198{n}-01-02",
        }
        for card in (f"L-10{n}", f"L-20{n}"):
            _sent(client, {"loyalty_id": card, "email": f"anna.k{n}@postbox.io"}, [], anna)
    ivy = {"first_name": "Ivy", "last_name": "Lee", "date_of_birth": "1980-01-02", **HOME}
    maria = {"first_name": "Maria", "last_name": "Garcia", "date_of_birth": "2001-11-11", **HOME}
    _sent(client, {"loyalty_id": "L-1"}, [], ivy)
    return Customers(merged, bare, forgettable, _sent(client, {"loyalty_id": "L-2"}, [], maria))


def _sent(
    client: httpx.Client, who: Mapping[str, str], skus: Sequence[str], traits: Mapping[str, str] | None = None
) -> str:
    items = [{"sku": sku, "quantity": 1, "price": 5.0} for sku in skus]
    order = {"amount": 5.0 * len(skus), "currency": "EUR", "items": items} if skus else {}
    event = {"source": "web", "event_type": "purchase", "identifiers": who, "traits": traits or {}}
    profile = resolved(client, {**event, "payload": order})
    assert profile is not None
    return profile


def _bad_events(settings: Settings) -> None:
    """What becomes dead letters."""
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap})
    for n in range(LETTERS):
        producer.produce(
            settings.topic("events.raw"), orjson.dumps({**BAD, "event_id": f"bad-{n}"}), key=b"jane"
        )
    assert producer.flush(15) == 0


def _webhook(client: httpx.Client, url: str) -> str:
    made = client.post("/v1/webhooks", json={"url": url}).raise_for_status().json()
    return str(made["webhook"]["webhook_id"])


def _ids(client: httpx.Client, path: str, name: str, count: int) -> list[str]:
    """What a list holds, by this field, once it holds so many."""

    def listed() -> list[str]:
        answer = client.get(path, params={**httpx.URL(path).params, "limit": 100}).raise_for_status()
        return [one[name] for one in answer.json()["data"]]

    eventually(lambda: len(listed()) >= count)
    return listed()


def _forgotten(client: httpx.Client, profile: str) -> str:
    path, why = f"/v1/profiles/{profile}", {"reason": "asked to be"}
    plan = client.delete(path, params={**why, "dry_run": True}).raise_for_status().json()["plan"]
    client.delete(path, params={**why, "plan": plan}).raise_for_status()
    return profile


def _there(
    client: httpx.Client, receiver: str, webhook: str, spares: Sequence[str], customers: Customers
) -> There:
    mended, *letters = _ids(client, "/v1/dead-letters", "dead_letter_id", LETTERS)
    mend = {"set": {"identifiers.phone": "+14155552671"}}
    client.patch(f"/v1/dead-letters/{mended}", json=mend).raise_for_status()
    one = customers.merged[0]
    eventually(lambda: client.get(f"/v1/recommendations/{one}").is_success)
    eventually(lambda: bool(client.get(f"/v1/profiles/{one}/similar").json()["data"]))
    reviews = _ids(client, "/v1/reviews", "review_id", QUESTIONS)
    for review in reviews[6:]:
        client.post(f"/v1/reviews/{review}/reject", json={"reason": "two people"}).raise_for_status()
    joined = {"profiles": [*customers.bare[:2]], "reason": "one person"}
    client.post("/v1/profiles:merge", json=joined).raise_for_status()
    newest = [f"/subjects/{s}/versions/latest" for s in client.get("/subjects").json()]
    versions = [client.get(path).json() for path in newest]
    return There(
        url=str(client.base_url).rstrip("/"),
        key=client.headers["Authorization"],
        receiver=receiver,
        customers=customers,
        asked=client.get(f"/v1/reviews/{reviews[4]}").json()["low_profile"],
        forgotten=_forgotten(client, customers.forgettable[-1]),
        merges=_ids(client, "/v1/merge-logs", "merge_log_id", len(customers.merged)),
        reviews=reviews[:6],
        constraints=_ids(client, "/v1/constraints", "constraint_id", 1 + len(reviews[6:])),
        letters=letters,
        mended=mended,
        webhook=webhook,
        spares=spares,
        deliveries=_ids(
            client, f"/v1/webhooks/{webhook}/deliveries?status=delivered", "delivery_id", DELIVERIES
        ),
        record=_ids(client, f"/v1/profiles/{customers.merged[2]}/events", "record_id", 1)[0],
        schemas={version["subject"]: version["schema"] for version in versions},
        schema_id=versions[0]["id"],
    )

"""A run in which every kind of personal data is marked: sent, refused, looked for, shown in the clear, merged."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator

import httpx
import orjson

from bench.house import House
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.stream.kafka import producer, producer_config
from proof.marks import IDENTIFIERS, PAYLOAD, PURPOSE, TRAITS
from proof.places import RAW

_PATIENCE_S = 60.0
_SOURCES = ("web", "app", "pos", "crm")
Event = dict[str, object]


def marked(number: int) -> Event:
    """One of the events that bring all identifiers, a few each, and all traits together."""
    some = {m.field: m.sent for n, m in enumerate(IDENTIFIERS) if n % 2 == number % 2 or m.field == "email"}
    return {
        "source": _SOURCES[number % len(_SOURCES)],
        "event_type": "purchase",
        "event_id": f"marked-{number}",
        "identifiers": some,
        "traits": {m.field: m.sent for m in TRAITS if number % 3 or m.field != "address"},
        "consent": [{"purpose": name, "state": "granted"} for name in ("marketing", PURPOSE.sent)],
        "payload": {
            "note": PAYLOAD.sent,
            "amount": 12.5,
            "currency": "EUR",
            "items": [{"sku": f"T-{number}", "quantity": 1, "price": 12.5}],
        },
    }


def malformed() -> Iterator[bytes]:
    """Marked messages that cannot be processed, each in another way."""
    whole = marked(100)
    yield orjson.dumps(whole)[:-7]
    yield orjson.dumps({**whole, "occurred_at": PAYLOAD.sent})
    yield orjson.dumps({**whole, "source": TRAITS[0].sent, "event_type": None})
    yield orjson.dumps({**whole, "identifiers": {"email": [[IDENTIFIERS[1].sent]]}})
    yield orjson.dumps({**whole, TRAITS[2].sent: 1})
    yield orjson.dumps([IDENTIFIERS[0].sent])
    yield IDENTIFIERS[1].sent.encode("utf-16")
    yield b"\0\0\0\0\7" + IDENTIFIERS[1].sent.encode()


def use(house: House, count: int) -> int:
    """Send and ask by every way there is; returns how many messages have to become dead letters."""
    key = {"Authorization": f"Bearer {house.api_key}"}
    with httpx.Client(base_url=house.url, headers=key, timeout=30) as client:
        for number in range(count):
            assert client.post("/v1/events", json=marked(number)).status_code == 202
        many = [marked(number) for number in range(count, 2 * count)]
        lines = gzip.compress(b"\n".join(map(orjson.dumps, many)))
        sent = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        assert client.post("/v1/events:batch", content=lines, headers=sent).json()["accepted"] == count
        letters = _produce(house.settings)
        _refused(client)
        _settled(house.settings, 2 * count, letters)
        _asked(client)
    return letters


def _produce(settings: Settings) -> int:
    """To the topic directly, as upstream teams do: what is well and what is not."""
    wrong = list(malformed())
    sender = producer(producer_config(settings))
    for value in (orjson.dumps(marked(0)), *wrong):
        sender.produce(settings.topic(RAW), value, key=IDENTIFIERS[1].sent.encode())
    assert sender.flush(10) == 0
    return len(wrong)


def _refused(client: httpx.Client) -> None:
    """Marked values that the gateway refuses."""
    for body in malformed():
        answer = client.post("/v1/events", content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, answer.status_code
    assert client.get("/v1/profiles", params={"phone": PAYLOAD.sent}).status_code == 400
    client.get(f"/v1/profiles/{PAYLOAD.sent}")
    client.post("/v1/events", json=marked(0), headers={"X-Request-ID": PAYLOAD.sent})


def _settled(settings: Settings, events: int, letters: int) -> None:
    """Wait until all of it is decided, told and filed."""
    with Database(settings.postgres_dsn.get_secret_value(), "privacy-proof") as database:
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            with database.transaction() as tx:
                row = tx.connection.execute(
                    "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM dead_letter), "
                    "(SELECT count(*) FROM outbox)"
                ).fetchone()
            if row == (events, letters, 0):
                time.sleep(2)  # until the consumers have followed
                return
            time.sleep(0.2)
    raise TimeoutError(
        f"{row} events, letters and messages to be told, where ({events}, {letters}, 0) were to be"
    )


def _asked(client: httpx.Client) -> None:
    """What shows values, and what looks for them."""
    email = IDENTIFIERS[1].sent
    found = client.get("/v1/profiles", params={"email": email, "reveal": True}).raise_for_status().json()
    profile = found["data"][0]["profile_id"]
    assert "zqdomain" in str(found).lower(), "it is shown as it is, or nothing is proved"
    sought = {"person": {"first_name": TRAITS[0].sent, "last_name": TRAITS[2].sent}}
    client.post("/v1/profiles:search", json=sought).raise_for_status()
    for path in ("", "/identifiers?reveal=true", "/timeline", "/explain", "/relationships", "/export"):
        client.get(f"/v1/profiles/{profile}{path}").raise_for_status()
    for letter in client.get("/v1/dead-letters").raise_for_status().json()["data"]:
        client.get(f"/v1/dead-letters/{letter['dead_letter_id']}").raise_for_status()

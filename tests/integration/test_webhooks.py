"""Webhooks against receivers that fail, hang and lie: each hears of every change, and none waits for another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import httpx
import psycopg
import pytest

from pipeline.settings import Settings
from tests.support.audit import AuditLog
from tests.support.changes import Teller, expire, held
from tests.support.processes import gateway
from tests.support.receiver import Got, Handler, Receiver, break_off, drip, flood, hang, receiving, verified
from tests.support.worker import Worker, eventually

MODULE = "consumers.webhooks.process"
WEBHOOK = {
    "webhook_allow_private": True,
    "webhook_attempts": 3,
    "webhook_retry_initial_ms": 50,
    "webhook_retry_max_ms": 200,
    "webhook_timeout_ms": 1_500,
    "webhook_disable_after": 4,
    "rate_limit_per_minute": 0,
}
Json = dict[str, object]


@pytest.fixture
def told(house: Settings) -> Settings:
    return house.model_copy(update=WEBHOOK)


@pytest.fixture
def client(told: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    with gateway(told, tmp_path / "gateway.log") as opened:
        yield opened


@pytest.fixture
def teller(told: Settings) -> Iterator[Teller]:
    with closing(Teller(told)) as made:
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@contextmanager
def delivering(settings: Settings, **more: object) -> Iterator[Worker]:
    variables = {f"RB_{name.upper()}": str(value) for name, value in {**WEBHOOK, **more}.items()}
    with Worker(MODULE, settings, **variables) as worker:
        yield worker


def added(client: httpx.Client, url: str, **more: object) -> Json:
    answer = client.post("/v1/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    return cast(Json, answer.json())


def id_of(made: Json) -> str:
    return str(cast(Json, made["webhook"])["webhook_id"])


def deliveries(client: httpx.Client, webhook_id: str, **query: str) -> list[Json]:
    answer = client.get(f"/v1/webhooks/{webhook_id}/deliveries", params={"limit": "100", **query})
    assert answer.status_code == 200, answer.text
    return cast(list[Json], answer.json()["data"])


def webhook(client: httpx.Client, webhook_id: str) -> Json:
    return cast(Json, client.get(f"/v1/webhooks/{webhook_id}").json())


def tried(client: httpx.Client, webhook_id: str) -> int:
    """How often anything was sent, as it is written down: on a slow machine a connection or an answer may fail."""
    return sum(cast(int, one["attempts"]) for one in deliveries(client, webhook_id))


def in_order(got: Sequence[Got]) -> bool:
    """Whether each profile's versions came in order, as they came first."""
    seen: set[str] = set()
    last: dict[object, int] = {}
    for one in got:
        if one.id not in seen and str(one.data["type"]).startswith("profile."):
            version = cast(int, one.data["version"])
            if version <= last.get(one.data["profile_id"], 0):
                return False
            last[one.data["profile_id"]] = version
        seen.add(one.id)
    return True


def test_one_that_hangs_holds_up_no_other(
    told: Settings, client: httpx.Client, teller: Teller, receiver: Receiver
) -> None:
    """Hanging, dripping, flooding, failing at times, redirecting and breaking off, beside one that takes everything."""
    inner = receiver.url("/inner")
    failures = dict.fromkeys(("/fails", "/busy"), 2)

    def answer(handler: Handler, got: Got) -> None:
        behaviours: dict[str, Callable[[Handler, Got], None]] = {
            "/hangs": hang,
            "/drips": drip,
            "/floods": flood,
            "/breaks": break_off,
            "/redirects": lambda h, _: h.say(302, Location=inner),
        }
        if failures.get(got.path, 0):
            failures[got.path] -= 1
            handler.say(503 if got.path == "/busy" else 500, b"secret words", Retry_After="0")
        else:
            behaviours.get(got.path, lambda h, _: h.say(200))(handler, got)

    receiver.answer = answer
    paths = ("/good", "/fails", "/busy", "/hangs", "/drips", "/floods", "/breaks", "/redirects")
    made = {path: added(client, receiver.url(path), types=["profile.*"], actor="test") for path in paths}
    everything = added(client, receiver.url("/everything"))
    with delivering(told) as worker:
        teller.tell(60)
        expected = held(told)
        profiles = {key for key, change in expected.items() if str(change["type"]).startswith("profile.")}
        for path in ("/good", "/fails", "/busy", "/floods"):
            eventually(lambda path=path: {got.id for got in receiver.at(path)} == profiles)  # type: ignore[misc]
            assert in_order(receiver.at(path)), path
        eventually(lambda: {got.id for got in receiver.at("/everything")} == set(expected))
        assert [got.data for got in receiver.at("/everything")] == [
            expected[got.id] for got in receiver.at("/everything")
        ], "what is sent is what the feed gives"
        for path in ("/good", "/fails"):
            eventually(lambda path=path: len(receiver.at(path)) <= tried(client, id_of(made[path])))  # type: ignore[misc]
        assert len(receiver.at("/fails")) >= len(profiles) + 2
        for path, one in made.items():
            assert all(verified(str(one["secret"]), got) for got in receiver.at(path)), path
        assert not verified(str(made["/good"]["secret"]), receiver.at("/everything")[0])

        # who never takes anything is dead after three attempts, and disabled after four dead in a row
        for path in ("/hangs", "/drips", "/breaks", "/redirects"):
            webhook_id = id_of(made[path])
            eventually(lambda webhook_id=webhook_id: not webhook(client, webhook_id)["enabled"])  # type: ignore[misc]
            dead = deliveries(client, webhook_id, status="dead")
            assert len(dead) >= 4
            assert {one["attempts"] for one in dead} == {3}
            assert all(one["error"] for one in dead)
            assert "failed for good" in str(webhook(client, webhook_id)["disabled_reason"])
        assert not receiver.at("/inner"), "a redirect was followed"
        ready = client.get("/readyz").json()
        assert ready["status"] == "degraded"
        disabled = {one["webhook_id"] for one in ready["disabled_webhooks"]}
        assert disabled == {id_of(made[p]) for p in ("/hangs", "/drips", "/breaks", "/redirects")}
        assert worker.stop() == 0

    # mended and enabled it goes on where it stood, and the dead ones are replayed: nothing is lost
    receiver.answer = lambda handler, got: handler.say(200)
    before = len(receiver.at("/hangs"))
    assert client.patch(f"/v1/webhooks/{id_of(made['/hangs'])}", json={"enabled": True}).status_code == 200
    dry = client.post(
        f"/v1/webhooks/{id_of(made['/hangs'])}/deliveries:replay", json={"status": "dead", "dry_run": True}
    )
    assert dry.json()["deliveries"] >= 4
    client.post(f"/v1/webhooks/{id_of(made['/hangs'])}/deliveries:replay", json={"status": "dead"})
    with delivering(told):
        eventually(lambda: {got.id for got in receiver.at("/hangs")[before:]} == profiles)
    assert everything["secret"] not in str(client.get("/v1/webhooks").json())


def test_none_waits_for_one_that_hangs_for_long(
    told: Settings, client: httpx.Client, teller: Teller, receiver: Receiver
) -> None:
    """Longer than a test waits. It is sent no more at a time than may be, and does not keep the process from ending."""
    receiver.answer = lambda handler, got: hang(handler, got) if got.path == "/hangs" else handler.say(200)
    for path in ("/hangs", "/good"):
        added(client, receiver.url(path))
    with delivering(told, webhook_timeout_ms=120_000, webhook_in_flight=3) as worker:
        teller.tell(60)
        expected = set(held(told))
        eventually(lambda: {got.id for got in receiver.at("/good")} == expected)
        assert len(receiver.at("/hangs")) == 3
        assert worker.stop() == 0


def test_killed_at_any_time_it_loses_nothing(
    told: Settings, client: httpx.Client, teller: Teller, receiver: Receiver
) -> None:
    made = added(client, receiver.url("/all"))
    receiver.answer = lambda handler, got: (
        time.sleep(0.002),
        handler.say(500 if len(receiver.got) % 50 == 0 else 200),
    )[1]
    for seconds in (0.3, 0.9, 0.1, 0.6):
        before = len(receiver.got)
        with delivering(told) as worker:
            teller.tell(60)
            eventually(lambda before=before: len(receiver.got) > before + 10)  # type: ignore[misc]
            time.sleep(seconds)
            worker.kill()
    with delivering(told) as worker:
        teller.tell(5)  # for it to deliver: what was there before may be delivered before it has begun
        expected = held(told)
        eventually(
            lambda: {got.id for got in receiver.got} == set(expected), moving=lambda: len(receiver.got)
        )
        eventually(lambda: not deliveries(client, id_of(made), status="failing"))
        assert worker.stop() == 0
    assert in_order(receiver.got)
    # what was written down is not sent again: the heads of its lanes may be by each start, and what was answered 500
    assert len(receiver.got) < len(expected) * 4 / 3


def test_what_a_receiver_lost_is_replayed(
    told: Settings, client: httpx.Client, teller: Teller, receiver: Receiver
) -> None:
    """It lies: it says 200, and keeps nothing."""
    made = added(client, receiver.url("/lies"), types=["event.linked"])
    webhook_id = id_of(made)
    with delivering(told):
        teller.tell(20)
        eventually(lambda: len(deliveries(client, webhook_id, status="delivered")) == 20)
        sent = {got.id: got.body for got in receiver.got}
        receiver.got.clear()

        one = deliveries(client, webhook_id)[3]
        path = f"/v1/webhooks/{webhook_id}/deliveries/{one['delivery_id']}"
        detail = client.get(path).json()
        assert detail["body"]["id"] == one["change_id"]
        assert client.post(f"{path}:replay").json() == {"deliveries": 1, "dry_run": False}
        eventually(lambda: [got.id for got in receiver.got] == [one["change_id"]])
        assert receiver.got[0].body == sent[receiver.got[0].id]
        eventually(lambda: len(deliveries(client, webhook_id, status="delivered")) == 20)

        receiver.got.clear()
        client.post(f"/v1/webhooks/{webhook_id}/deliveries:replay", json={}).raise_for_status()
        eventually(lambda: len(receiver.got) == 20)
        assert {got.id: got.body for got in receiver.got} == sent

        # a receiver that wants no more is sent no more
        receiver.answer = lambda handler, got: handler.say(410)
        teller.tell(1)
        eventually(lambda: not webhook(client, webhook_id)["enabled"])
        assert "410" in str(webhook(client, webhook_id)["disabled_reason"])
        with closing(AuditLog(told.postgres_dsn.get_secret_value())) as log:
            (changed,) = log.told("webhook.changed")
        assert (changed[0], changed[2], changed[-1]) == (
            "webhooks",
            [f"webhook:{webhook_id}"],
            {"enabled": False},
        )
        refused = client.post(f"/v1/webhooks/{webhook_id}/deliveries:replay", json={})
        assert refused.status_code == 409


def test_secrets_and_changes_of_a_webhook(
    told: Settings, client: httpx.Client, teller: Teller, receiver: Receiver
) -> None:
    made = added(client, receiver.url("/a"), types=["profile.created"], description="shop", actor="ann")
    webhook_id, secret = id_of(made), str(made["secret"])
    shown = webhook(client, webhook_id)
    assert shown["created_by"].startswith("ann by api-key:")
    assert shown["types"] == ["profile.created"]
    assert client.post(f"/v1/webhooks/{webhook_id}:test").json()["http_status"] == 204
    assert receiver.got[0].data["type"] == "webhook.test"
    assert verified(secret, receiver.got[0])

    rotated = client.post(f"/v1/webhooks/{webhook_id}:rotate", json={"overlap_hours": 1}).json()
    assert rotated["secret"] != secret
    client.post(f"/v1/webhooks/{webhook_id}:test").raise_for_status()
    assert verified(secret, receiver.got[1])
    assert verified(rotated["secret"], receiver.got[1])
    last = client.post(f"/v1/webhooks/{webhook_id}:rotate", json={"overlap_hours": 0}).json()["secret"]
    client.post(f"/v1/webhooks/{webhook_id}:test").raise_for_status()
    assert verified(last, receiver.got[2])
    assert not verified(rotated["secret"], receiver.got[2])
    with psycopg.connect(told.postgres_dsn.get_secret_value()) as connection:
        stored = connection.execute("SELECT w::text, k::text FROM webhook w, data_key k").fetchall()
    import base64

    raw = base64.b64decode(last.removeprefix("whsec_"))
    assert raw.hex() not in str(stored)
    assert last not in str(stored)

    # elsewhere, and of another type from now on: what was told before of that type is not sent
    teller.tell(10)
    receiver.got.clear()
    change = {"url": receiver.url("/b"), "types": ["event.linked", "profile.created"]}
    assert client.patch(f"/v1/webhooks/{webhook_id}", json=change).json()["url"] == change["url"]
    created = {k for k, c in held(told).items() if c["type"] == "profile.created"}
    with delivering(told):
        eventually(lambda: {got.id for got in receiver.at("/b")} == created)
        teller.tell(1)
        eventually(lambda: {got.data["type"] for got in receiver.at("/b")} >= {"event.linked"})
        assert len([got for got in receiver.at("/b") if got.data["type"] == "event.linked"]) == 1
        assert client.delete(f"/v1/webhooks/{webhook_id}").status_code == 204
        assert client.get(f"/v1/webhooks/{webhook_id}").status_code == 404
        with psycopg.connect(told.postgres_dsn.get_secret_value()) as connection:
            left = (
                "SELECT count(*) FROM webhook_delivery",
                "SELECT count(*) FROM consumer_position WHERE stage LIKE 'webhook:%'",
            )
            eventually(lambda: [connection.execute(q).fetchone() for q in left] == [(0,), (0,)])


def test_nobody_reaches_into_the_house(
    told: Settings, client: httpx.Client, teller: Teller, receiver: Receiver, tmp_path: Path
) -> None:
    strict = told.model_copy(update={"webhook_allow_private": False})
    with gateway(strict, tmp_path / "strict.log") as careful:
        for url, mend in (
            (receiver.url(), "https://"),
            (f"https://127.0.0.1:{receiver.port}/", "not a public address"),
            (f"https://localhost:{receiver.port}/", "not a public address"),
            ("https://[::ffff:169.254.169.254]/latest/meta-data", "not a public address"),
            ("https://no-such-name.invalid/", "no address"),
        ):
            refused = careful.post("/v1/webhooks", json={"url": url})
            assert refused.status_code == 400, url
            assert mend in refused.json()["error"]["message"], url
    # added while it was allowed: each connection is checked all the same
    made = added(client, f"https://localhost:{receiver.port}/", types=["profile.*"])
    plain = added(client, receiver.url(), types=["profile.*"])
    with delivering(strict, webhook_allow_private=False):
        teller.tell(5)
        eventually(lambda: bool(deliveries(client, id_of(made), status="dead")))
        assert "not a public address" in str(deliveries(client, id_of(made))[0]["error"])
        eventually(lambda: not webhook(client, id_of(plain))["enabled"])
    assert receiver.connections == 0


def test_changes_that_are_gone_are_said_to_be(
    told: Settings, client: httpx.Client, teller: Teller, receiver: Receiver
) -> None:
    made = added(client, receiver.url("/all"))
    path = f"/v1/webhooks/{id_of(made)}"
    teller.tell(30)
    expire(told, "events.linked")
    with delivering(told):
        eventually(lambda: not webhook(client, id_of(made))["enabled"])
        assert "no longer hold this position (events.linked)" in str(
            webhook(client, id_of(made))["disabled_reason"]
        )
        assert not receiver.got
        client.patch(path, json={"enabled": True, "from": "earliest"}).raise_for_status()
        expected = set(held(told))
        eventually(lambda: {got.id for got in receiver.got} == expected)
        client.patch(path, json={"enabled": False}).raise_for_status()
    # a partition that was added since it was placed is read from its beginning
    with psycopg.connect(told.postgres_dsn.get_secret_value()) as connection:
        connection.execute("DELETE FROM consumer_position WHERE stage LIKE 'webhook:%' AND partition = 0")
    receiver.got.clear()
    client.patch(path, json={"enabled": True}).raise_for_status()
    with delivering(told):
        of_0 = {key for key in expected if key.split("-")[-2] == "0"}
        eventually(lambda: {got.id for got in receiver.got} == of_0)


def test_of_two_processes_one_delivers(
    told: Settings, client: httpx.Client, teller: Teller, receiver: Receiver
) -> None:
    made = added(client, receiver.url("/all"), types=["profile.*"])
    with delivering(told) as first:
        teller.tell(1)
        eventually(lambda: len(receiver.got) == 1)
        with delivering(told):
            teller.tell(20)
            eventually(lambda: len({got.id for got in receiver.got}) == 21)
            eventually(lambda: len(deliveries(client, id_of(made), status="delivered")) == 21)
            assert len(receiver.got) <= tried(client, id_of(made)), "by one of them"
            first.kill()
            teller.tell(20)
            eventually(lambda: len({got.id for got in receiver.got}) == 41)

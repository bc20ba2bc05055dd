"""The change feed is what Kafka holds: cut anywhere, resumed anywhere, with nothing missing and nothing twice."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from secrets import token_bytes

import httpx
import pytest

from client import AsyncRetailBrain, Reading, RetailBrain
from client.feed import Change
from faults.proxy import Proxies
from gateway.stored_keys import FRESH_S
from pipeline.api_keys.scope import Scope
from pipeline.api_keys.stored import Wanted, create, revoke
from pipeline.errors import RequestRefused
from pipeline.settings import Settings
from pipeline.store.database import Database
from tests.support.changes import Teller, expire, held
from tests.support.following import Follower
from tests.support.processes import answering, free_port
from tests.support.worker import Worker, eventually


@pytest.fixture
def fed(house: Settings) -> Settings:
    """Settings of a gateway with a ring that holds little, so that who is cut off falls out of it."""
    return house.model_copy(
        update={
            "gateway_port": free_port(),
            "rate_limit_per_minute": 0,
            "feed_heartbeat_ms": 300,
            "feed_ring_bytes": 100_000,
        }
    )


@contextmanager
def serving(settings: Settings) -> Iterator[Worker]:
    fields = {n: str(getattr(settings, n)) for n in ("gateway_port", "rate_limit_per_minute")}
    feed = {n: str(getattr(settings, n)) for n in Settings.model_fields if n.startswith("feed_")}
    variables = {f"RB_{name.upper()}": value for name, value in {**fields, **feed}.items()}
    with Worker("gateway.server", settings, **variables) as worker, answering(settings):
        yield worker


def url(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.gateway_port}"


@pytest.fixture
def teller(fed: Settings) -> Iterator[Teller]:
    made = Teller(fed)
    yield made
    made.close()


def in_order(came: list[dict[str, object]]) -> bool:
    """Whether each profile's versions come in order."""
    last: dict[object, int] = {}
    for change in came:
        if str(change["type"]).startswith("profile."):
            version = change["version"]
            assert isinstance(version, int)
            if version <= last.get(change["profile_id"], 0):
                return False
            last[change["profile_id"]] = version
    return True


def test_cut_ten_times_and_resumed_it_has_no_gap_and_no_double(fed: Settings, teller: Teller) -> None:
    """Under load; by resets in between, by closing, and by a gateway that is killed and started again."""
    chance, done = random.Random(7), threading.Event()
    teller.tell(300)

    def load() -> None:
        while not done.is_set():
            teller.tell(40)
            time.sleep(0.02)

    with Proxies({"gateway": (port := free_port())}) as proxies:
        proxy = proxies["gateway"]
        proxy.target = fed.gateway_port
        follower = Follower(f"http://127.0.0.1:{port}", "test-key", **{"from": "earliest"})
        writer = threading.Thread(target=load)
        writer.start()
        try:
            for _ in range(2):
                with serving(fed) as worker:
                    for cut in range(5):
                        with suppress(httpx.TransportError), follower.connected() as found:
                            for _ in range(chance.randint(1, 900)):
                                next(found)
                            if cut == 4:
                                worker.kill()
                            elif cut % 2:
                                proxy.cut()
                            else:
                                continue
                            list(found)
                            pytest.fail("it was cut off, and ended as if it were not")
        finally:
            done.set()
            writer.join()
        expected = held(fed)
        with serving(fed):
            follower.take(len(expected) - len(follower.came))
    ids = [change["id"] for change in follower.came]
    assert len(ids) == len(set(ids)), "a change came twice"
    assert {str(change["id"]): change for change in follower.came} == expected
    assert in_order(follower.came)
    assert len(ids) > 2_000


def test_the_client_goes_on_by_itself_wherever_it_is_cut(fed: Settings, teller: Teller) -> None:
    teller.tell(400)
    expected = held(fed)
    cuts = range(50, len(expected), len(expected) // 5)
    with serving(fed), Proxies({"gateway": (port := free_port())}) as proxies:
        proxies["gateway"].target = fed.gateway_port

        def by_threads() -> Iterator[Change]:
            with RetailBrain(f"http://127.0.0.1:{port}", "test-key") as brain:
                yield from islice(brain.changes(Reading(start="earliest")), len(expected))

        async def by_asyncio(seen: Callable[[Change], None]) -> None:
            async with AsyncRetailBrain(f"http://127.0.0.1:{port}", "test-key") as brain:
                left = len(expected)
                async for change in brain.changes(Reading(start="earliest")):
                    seen(change)
                    left -= 1
                    if not left:
                        return

        def look(change: Change) -> None:
            came.append(change)
            if len(came) in cuts:
                proxies["gateway"].cut()

        came: list[Change] = []
        for change in by_threads():
            look(change)
        assert [c["id"] for c in came] == list(dict.fromkeys(c["id"] for c in came)), "a change came twice"
        assert {c["id"] for c in came} == set(expected)
        came = []
        asyncio.run(by_asyncio(look))
        assert {c["id"]: dict(c) for c in came} == expected
        assert len(came) == len(expected)


def test_the_client_is_told_where_a_place_is_gone(fed: Settings) -> None:
    with serving(fed), RetailBrain(url(fed), "test-key") as brain:
        with pytest.raises(RequestRefused, match="VALIDATION_ERROR: Last-Event-ID"):
            next(brain.changes(Reading(place="nonsense")))
        with pytest.raises(RequestRefused, match=r"profile\.updated"):
            next(brain.changes(Reading(types=["profile.changed"])))


def test_filters_positions_and_ends(fed: Settings, teller: Teller) -> None:
    """One gateway, asked in all ways."""
    with serving(fed) as worker, answering(fed) as client:
        live = Follower(url(fed), "test-key", type="profile.*")
        with live.connected() as found:
            next(found)
            assert live.place, "a place to go on from before anything came"
            teller.tell(50)
            while len(live.came) < 50:
                next(found)
            assert {c["type"] for c in live.came} <= {"profile.created", "profile.updated"}
        before = live.place

        one = teller.profiles[0]
        mine = Follower(url(fed), "test-key", profile=one, **{"from": "earliest", "seconds": "1"})
        with mine.connected() as found:
            list(found)
        told = [c for c in held(fed).values() if one in str(c["data"])]
        assert told
        assert sorted(str(c["id"]) for c in mine.came) == sorted(str(c["id"]) for c in told)
        assert mine.ended["reason"] == "seconds"

        # the place of a stream moves on past what was not wanted
        none = Follower(url(fed), "test-key", type="review.pending", **{"from": "earliest", "seconds": "1"})
        with none.connected() as found:
            places = [event.id for event in found]
        assert places[0] == places[-1]  # no review was ever told
        assert not none.came

        def refusal(status: int, **query: str) -> str:
            answer = client.get("/v1/changes", params=query)
            assert answer.status_code == status, answer.text
            return str(answer.json()["error"]["message"])

        assert "profile.updated" in refusal(400, type="profile.changed")
        assert refusal(400, after="nonsense").startswith("after: ")
        assert "events.linked" in refusal(400, after=before, type="event.linked")

        last = Follower(url(fed), "test-key")
        with last.connected() as found:
            next(found)
            worker.stop()
            list(found)
        assert last.ended["reason"] == "shutdown"


def test_a_stream_ends_with_its_key(fed: Settings, teller: Teller) -> None:
    with Database(fed.postgres_dsn.get_secret_value(), "test") as database, serving(fed):
        with database.transaction() as tx:
            reader = create(
                tx, Wanted("reader", frozenset({Scope.READ})), "t", datetime.now(UTC), token_bytes
            )
        follower = Follower(url(fed), reader.secret)
        with follower.connected() as found:
            next(found)
            with database.transaction() as tx:
                revoke(tx, "reader", "t", datetime.now(UTC))
            revoked = time.monotonic()
            for _ in found:
                assert time.monotonic() - revoked < 4 * FRESH_S, "it goes on"
        assert time.monotonic() - revoked < FRESH_S
        assert follower.ended["reason"] == "key_revoked"
        teller.tell(1)
        with pytest.raises(httpx.HTTPStatusError, match="401"):
            follower.take(1)


def test_a_place_that_the_topics_no_longer_hold_is_gone(fed: Settings, teller: Teller) -> None:
    teller.tell(100)
    follower = Follower(url(fed), "test-key", **{"from": "earliest", "type": "event.linked"})
    with serving(fed), answering(fed) as client:
        follower.take(5)
        expire(fed, "events.linked")
        answer = client.get("/v1/changes", params={"after": follower.place, "type": "event.linked"})
        assert answer.status_code == 410, answer.text
        assert answer.json()["error"]["code"] == "POSITION_GONE"
        assert "from=earliest" in answer.json()["error"]["message"]
        # what other topics hold is still there
        others = Follower(url(fed), "test-key", **{"from": "earliest", "type": "profile.*"})
        others.take(100)


def test_who_does_not_read_is_disconnected_and_no_more_than_may_are_admitted(
    fed: Settings, teller: Teller
) -> None:
    import socket

    few = fed.model_copy(update={"feed_max_subscribers": 2, "feed_patience_ms": 1_000})

    def lazy() -> socket.socket:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        peer.connect(("127.0.0.1", few.gateway_port))
        peer.sendall(
            b"GET /v1/changes?from=earliest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-key\r\n\r\n"
        )
        return peer

    def counted(client: httpx.Client, line: str) -> float:
        text = client.get("/metrics").text
        return next((float(found.split()[1]) for found in text.splitlines() if found.startswith(line)), 0.0)

    for _ in range(10):
        teller.tell(1_000)  # more than the buffers of a connection take
    with serving(few) as worker, answering(few) as client, lazy(), lazy():
        eventually(lambda: counted(client, "rb_feed_subscribers") == 2)
        refused = client.get("/v1/changes", params={"seconds": 1})
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        eventually(lambda: counted(client, "rb_feed_subscribers") == 0)
        assert counted(client, 'rb_feed_ended_total{reason="not_reading"}') == 2
        reader = Follower(url(few), "test-key", **{"from": "earliest"})
        reader.take(10)
        with lazy():  # nor does it keep the gateway from ending
            eventually(lambda: counted(client, "rb_feed_subscribers") == 1)
            assert worker.stop() == 0

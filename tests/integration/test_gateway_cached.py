"""Reads that come from the consumers' work in Redis, and agree with what Postgres holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import httpx
import orjson
import pytest
from redis import Redis

from pipeline.settings import Settings
from tests.support.processes import PATIENCE_S, gateway, process, resolved


@pytest.fixture
def settings(house: Settings, tmp_path: Path) -> Settings:
    return house.model_copy(update={"rate_limit_per_minute": 0, "home": tmp_path})


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    with ExitStack() as running:
        client = running.enter_context(gateway(settings, tmp_path / "gateway.log"))
        for name in (
            "pipeline.normalize_stage",
            "pipeline.resolve_stage",
            "pipeline.stream.relay",
            "consumers.cache",
            "consumers.recommendations",
        ):
            running.enter_context(process(name, settings, tmp_path / f"{name}.log"))
        yield client


def buy(client: httpx.Client, *skus: str, **identifiers: str) -> str:
    event = {
        "source": "web",
        "event_type": "purchase",
        "identifiers": identifiers,
        "payload": {"amount": 5, "currency": "EUR", "items": [{"sku": s, "quantity": 1} for s in skus]},
    }
    return str(resolved(client, event))


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def cache_reads(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(
        float(x.split()[1]) for x in lines if x.startswith('rb_gateway_profile_reads_total{place="cache"}')
    )


def test_the_cache_and_the_store_tell_the_same(client: httpx.Client, settings: Settings) -> None:
    crm, phone = uuid4().hex, "+14155550132"
    one = buy(client, "a", "b", crm_id=crm)
    other = buy(client, "b", "c", phone=phone)
    both = buy(client, "a", crm_id=crm, phone=phone)
    gone = one if both == other else other
    redis = Redis.from_url(settings.redis_url, decode_responses=True)

    def redirected() -> bool:
        state = redis.hget(f"rb:profile:{gone}", "state")
        return state is not None and orjson.loads(str(state))["merged_into"] == both

    eventually(redirected)
    before = cache_reads(client)
    cached = client.get(f"/v1/profiles/{gone}")
    assert cache_reads(client) == before + 1
    stored = client.get(f"/v1/profiles/{gone}", headers={"Cache-Control": "no-cache"})
    assert cache_reads(client) == before + 1
    assert cached.status_code == 200
    assert cached.json()["profile_id"] == both
    for name in ("version", "record_count", "golden_record", "merged_from", "status"):
        assert cached.json()[name] == stored.json()[name]
    kinds = [{(i["type"], i["value"]) for i in answer.json()["identifiers"]} for answer in (cached, stored)]
    assert kinds[0] == kinds[1] == {("crm_id", f"{crm[:2]}…{crm[-2:]}"), ("phone", "+14…32")}

    def liked() -> object:
        return client.get(f"/v1/recommendations/{gone}", params={"limit": 3}).json().get("profile_id")

    eventually(lambda: liked() == both)  # another consumer than the cache, at its own pace
    assert client.get(f"/v1/recommendations/{uuid4()}").status_code == 404

    redis.hset(f"rb:profile:{gone}", "state", "{}")
    assert client.get(f"/v1/profiles/{gone}").json()["profile_id"] == both, "a damaged entry is read past"


def test_insights_are_typed_even_when_there_are_none(settings: Settings, tmp_path: Path) -> None:
    with gateway(settings, tmp_path / "gateway.log") as client:
        assert_typed(client)


def assert_typed(client: httpx.Client) -> None:
    found = client.get("/v1/insights/live", params={"window": "hour", "channel": "web"})
    assert found.status_code == 200
    assert found.json() == {"window": "hour", "newest_event_at": None, "windows": []}
    assert client.get("/v1/insights/live", params={"window": "week"}).status_code == 400
    assert client.get("/v1/insights/live", params={"last": 0}).status_code == 400
    assert client.get("/v1/insights/live", params={"window": "hour", "last": 1440}).status_code == 400

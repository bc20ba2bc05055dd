"""What counts in which quota, and what answers say of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.limiter import LocalLimiter, Quota
from gateway.producer import MemorySender
from gateway.quotas import Quotas
from gateway.rights import Caller
from gateway.server import make_ports
from pipeline.api_keys.scope import EVERYTHING
from pipeline.settings import Settings
from tests.support.keys import OTHER_SECRET, SECRET, Stored, keys_of, stored_key

NOWHERE = "/v1/nowhere"


def clock() -> float:
    return 1_000_000 * 60.0 + 20


@asynccontextmanager
async def limited(
    home: Path, stored: Stored | None = None, **limits: int
) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway with the keys one and two and these limits; its clock stands still."""
    settings = Settings.model_validate({"home": home, "rate_limit_per_minute": 0, **limits})
    ports = make_ports(settings, MemorySender())
    ports = replace(ports, keys=keys_of("one,two", stored), limiter=LocalLimiter(clock))
    transport = httpx.ASGITransport(create_app(ports), client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def statuses(client: httpx.AsyncClient, key: str, times: int) -> list[int]:
    return [(await client.get(NOWHERE, headers={"Authorization": key})).status_code for _ in range(times)]


async def test_each_key_has_its_quota_and_may_have_its_own(tmp_path: Path) -> None:
    stored = Stored(stored_key(per_minute=5))
    async with limited(tmp_path, stored, rate_limit_per_minute=2) as client:
        assert await statuses(client, "one", 4) == [404, 404, 429, 429]
        assert await statuses(client, "two", 3) == [404, 404, 429]
        assert await statuses(client, SECRET, 7) == [404] * 5 + [429] * 2
        stored.keys = Stored(stored_key(per_minute=0)).keys
        assert await statuses(client, SECRET, 20) == [404] * 20


async def test_an_address_without_a_known_key_is_limited_and_keeps_nobody_else_out(tmp_path: Path) -> None:
    async with limited(tmp_path, refused_limit_per_minute=3) as client:
        assert await statuses(client, "none", 2) == [401, 401]
        assert await statuses(client, OTHER_SECRET, 2) == [401, 429]
        assert await statuses(client, "", 1) == [429]
        assert await statuses(client, "one", 9) == [404] * 9
        counted = (await client.get("/metrics")).text
        for cause in ("unknown_key", "refused"):
            assert f'rb_http_refused_total{{cause="{cause}"}}' in counted


async def test_an_address_is_limited_whatever_its_keys(tmp_path: Path) -> None:
    async with limited(tmp_path, address_limit_per_minute=4) as client:
        assert await statuses(client, "one", 2) == [404, 404]
        assert await statuses(client, "none", 1) == [401]
        assert await statuses(client, "two", 2) == [404, 429]
        assert await statuses(client, "none", 1) == [429]


async def test_every_answer_says_how_the_caller_stands(tmp_path: Path) -> None:
    async with limited(tmp_path, rate_limit_per_minute=2) as client:
        for path, status, remaining, reset in (
            (NOWHERE, 404, 1, 40),
            ("/v1/profiles", 400, 0, 40),
            (NOWHERE, 429, 0, 41),
        ):
            answer = await client.get(path, headers={"Authorization": "one"})
            assert answer.status_code == status
            told = {name: answer.headers[name] for name in answer.headers if name.startswith("ratelimit")}
            assert told == {
                "ratelimit-limit": "2",
                "ratelimit-remaining": str(remaining),
                "ratelimit-reset": str(reset),
                "ratelimit": f'"key";r={remaining};t={reset}',
                "ratelimit-policy": '"key";q=2;w=60',
            }
            assert answer.headers.get("Retry-After") == ("41" if status == 429 else None)
        assert answer.json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
        refused = await client.get(NOWHERE)
        assert refused.headers["RateLimit"] == '"refused";r=99;t=40'
        assert "RateLimit" not in (await client.get("/healthz")).headers


async def test_without_limits_nothing_is_counted_or_told(tmp_path: Path) -> None:
    async with limited(tmp_path, refused_limit_per_minute=0) as client:
        for key in ("one", "none"):
            answer = await client.get(NOWHERE, headers={"Authorization": key})
            assert not [name for name in answer.headers if name.startswith("ratelimit")]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_addresses_count_by_their_network_and_are_kept_nowhere(one: str, other: str, same: bool) -> None:
    quotas = Quotas(Settings.model_validate({}), b"secret")
    ((first,), (second,)) = quotas.of(None, one), quotas.of(None, other)
    assert (first == second) is same
    assert one not in first.subject
    assert Quotas(Settings.model_validate({}), b"another").of(None, one) != [first]


def test_a_callers_quotas() -> None:
    quotas = Quotas(Settings.model_validate({"address_limit_per_minute": 9}), b"secret")
    known = quotas.of(Caller("name", "actor", EVERYTHING), "192.0.2.7")
    assert known[0] == Quota("key", "name", 100)
    assert [(q.policy, q.per_minute) for q in known[1:]] == [("address", 9)]
    assert [q.policy for q in quotas.of(None, "192.0.2.7")] == ["refused", "address"]

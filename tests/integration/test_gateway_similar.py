"""Customers who buy alike, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx
import pytest

from tests.integration.test_answers import home_of
from tests.integration.test_consumer_embeddings import Following, buys
from tests.integration.test_gateway_customer import told
from tests.integration.test_unmerge import CARD, MAIL, PHONE
from tests.support.pipeline import event

DEVICE = {"device_id": "d-1"}


@pytest.fixture
def house_of(database: str) -> Iterator[Following]:
    made = Following(database)
    yield made
    made.stages.close()


async def similar(client: httpx.AsyncClient, of: object, **query: object) -> dict[str, object]:
    return await told(client, f"{of}/similar", **query)


def order_of(found: Mapping[str, object]) -> list[str]:
    assert isinstance(found["data"], list)
    return [one["profile_id"] for one in found["data"]]


async def test_the_most_alike_come_first_with_what_speaks_for_them(
    client: httpx.AsyncClient, house_of: Following
) -> None:
    stages = house_of.stages
    stages.send(buys(1, MAIL, "tea-1", "tea-2"), buys(2, MAIL, "tea-1"))
    stages.send(buys(3, PHONE, "tea-1"), buys(4, CARD, "tea-9", "cup-1", "cup-2"), buys(5, DEVICE, "pan-1"))
    house_of.follow()
    anna, bo, cy, dan = (str(home_of(stages, n)) for n in (1, 3, 4, 5))
    found = await similar(client, anna)
    assert order_of(found) == [bo, cy], "who has nothing in common is not told"
    assert (found["profile_id"], found["has_purchases"]) == (anna, True)
    first, second = found["data"]  # type: ignore[misc]
    assert 1 > first["similarity"] > 0.8 > 0.4 > second["similarity"] > 0
    assert first["in_common"] == [
        {"kind": "category", "name": "tea", "orders": 2, "others_orders": 1},
        {"kind": "sku", "name": "tea-1", "orders": 2, "others_orders": 1},
    ]
    assert second["in_common"] == [{"kind": "category", "name": "tea", "orders": 2, "others_orders": 1}]
    assert (first["in_common_total"], second["in_common_total"]) == (2, 1)
    assert order_of(await similar(client, anna, limit=1)) == [bo]
    assert order_of(await similar(client, dan)) == []


async def test_who_buys_the_same_is_wholly_alike(client: httpx.AsyncClient, house_of: Following) -> None:
    skus = [f"s-{n}" for n in range(30)]
    house_of.stages.send(buys(1, MAIL, *skus), buys(2, PHONE, *skus))
    house_of.follow()
    (found,) = (await similar(client, home_of(house_of.stages, 1)))["data"]  # type: ignore[misc]
    assert found["similarity"] == pytest.approx(1, abs=1e-6)
    assert found["similarity"] <= 1
    assert (len(found["in_common"]), found["in_common_total"]) == (10, 31)


async def test_who_bought_nothing_is_said_so(client: httpx.AsyncClient, house_of: Following) -> None:
    house_of.stages.send(event(1, MAIL), buys(2, PHONE, "tea-1"))
    house_of.follow()
    found = await similar(client, home_of(house_of.stages, 1))
    assert (found["data"], found["has_purchases"]) == ([], False)


async def test_who_was_merged_away_is_told_no_more(client: httpx.AsyncClient, house_of: Following) -> None:
    """Before the consumer has heard of it as well."""
    stages = house_of.stages
    stages.send(buys(1, MAIL, "tea-1", "pan-1"))
    stages.send(buys(2, PHONE, "tea-1"))
    stages.send(buys(3, CARD, "tea-1"))
    house_of.follow()
    anna, bo, cy = (str(home_of(stages, n)) for n in (1, 2, 3))
    assert order_of(await similar(client, cy)) == [bo, anna]
    stages.send(buys(4, MAIL | PHONE, "tea-2"))
    assert order_of(await similar(client, cy, limit=1)) == [anna], "who is gone takes no one's place"
    house_of.follow()
    assert order_of(await similar(client, cy)) == [anna]
    found = await similar(client, bo)
    assert (found["profile_id"], found["merged_from"], order_of(found)) == (anna, bo, [cy])


@pytest.mark.parametrize("limit", ["0", "51", "x"])
async def test_a_limit_that_is_none_is_named(
    client: httpx.AsyncClient, house_of: Following, limit: str
) -> None:
    house_of.stages.send(event(1, MAIL))
    answer = await client.get(f"/v1/profiles/{home_of(house_of.stages, 1)}/similar", params={"limit": limit})
    assert answer.status_code == 400
    assert "limit" in answer.json()["error"]["message"]

"""A household as a graph: who shares what, and who only seems to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.integration.test_answers import RULES, home_of
from tests.support.pipeline import StagesOnPostgres, event

HOME = {"street": "Washington Avenue", "street_number": "12", "postcode": "60601", "city": "Chicago"}
LINE = {"phone": "+14155550101"}


def who(first: str, last: str, born: str, **more: str) -> dict[str, str]:
    return {"first_name": first, "last_name": last, "date_of_birth": born, **more}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    opened.send(
        event(1, {"loyalty_id": "L-1", **LINE}, traits=who("Anna", "Lee", "1980-01-02", **HOME)),
        event(2, {"loyalty_id": "L-2", **LINE}, traits=who("Robert", "Lee", "1978-05-30")),
        event(3, {"loyalty_id": "L-3"}, traits=who("Maria", "Garcia", "2001-11-11", **HOME)),
        # the same key of an address, and another street
        event(
            4,
            {"loyalty_id": "L-4"},
            traits=who("Paul", "Ito", "1966-06-06", **{**HOME, "street": "Washburn Road"}),
        ),
        event(5, {"loyalty_id": "L-5"}, traits=who("Olga", "Petrova", "1999-09-09", postcode="60601")),
    )
    yield opened
    opened.close()


async def graph(client: httpx.AsyncClient, profile: object) -> dict[str, list[dict[str, object]]]:
    answer = await client.get(f"/v1/profiles/{profile}/relationships")
    assert answer.status_code == 200, answer.text
    found: dict[str, list[dict[str, object]]] = answer.json()
    return found


def tied(found: dict[str, list[dict[str, object]]]) -> dict[frozenset[object], list[object]]:
    return {
        frozenset((e["source"], e["target"])): [s["attribute"] for s in e["shared"]]  # type: ignore[attr-defined]
        for e in found["edges"]
    }


async def test_a_household_shares_a_home_and_a_line(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    anna, robert, maria = (str(home_of(stages, n)) for n in (1, 2, 3))
    assert len({anna, robert, maria}) == 3
    found = await graph(client, anna)
    assert {n["profile_id"]: n["name"] for n in found["nodes"]} == {
        anna: "anna lee",
        robert: "robert lee",
        maria: "maria garcia",
    }
    assert [n["profile_id"] for n in found["nodes"] if n["is_asked"]] == [anna]
    assert tied(found) == {frozenset((anna, robert)): ["phone"], frozenset((anna, maria)): ["address"]}
    (line,) = (s for e in found["edges"] for s in e["shared"] if s["attribute"] == "phone")  # type: ignore[attr-defined]
    assert (line["level"], line["why"]) == ("exact", "phone: the same")
    assert line["bits"] > 0
    assert LINE["phone"] not in str(found)
    assert (found["left_out"], found["overfull"]) == (0, [])


async def test_those_tied_to_one_are_tied_among_each_other(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    stages.send(event(6, {"loyalty_id": "L-6", **LINE}, traits=who("Ivy", "Novak", "2010-10-10", **HOME)))
    anna, robert, maria, ivy = (str(home_of(stages, n)) for n in (1, 2, 3, 6))
    assert tied(await graph(client, anna)) == {
        frozenset((anna, robert)): ["phone"],
        frozenset((anna, maria)): ["address"],
        frozenset((anna, ivy)): ["phone", "address"],
        frozenset((robert, ivy)): ["phone"],
        frozenset((maria, ivy)): ["address"],
    }


async def test_who_shares_nothing_is_alone(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    paul = str(home_of(stages, 4))
    found = await graph(client, paul)
    assert ([n["profile_id"] for n in found["nodes"]], found["edges"]) == ([paul], [])


async def test_what_too_many_share_tells_nothing(client: httpx.AsyncClient, database: str) -> None:
    caps = dict.fromkeys(RULES.block_caps, 3)
    stages = StagesOnPostgres(database, rules=replace(RULES, block_caps=caps))
    for number in range(1, 7):
        named = who(f"Name{number}", f"Last{number}", f"19{60 + number}-01-01")
        stages.send(event(number, {"loyalty_id": f"L-{number}", **LINE}, traits=named))
    found = await graph(client, home_of(stages, 1))
    assert (found["edges"], found["overfull"]) == ([], ["phone"])
    stages.close()

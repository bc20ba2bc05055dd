"""A customer as it stood: what `history` tells of each moment is what stood then, written down while it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from uuid import uuid4

import httpx
import pytest
from psycopg.rows import TupleRow

from pipeline.errors import Conflict
from pipeline.identity.ids import Id
from pipeline.store.database import Parameters, Transaction
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.taking_out import take_out
from tests.integration.test_answers import RULES, home_of
from tests.integration.test_unmerge import MAIL, PHONE, chain
from tests.support.pipeline import StagesOnPostgres, event

STEPS = 14


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


class World:
    """Events that share identifiers at random, now and then a merge undone or a record taken out."""

    def __init__(self, stages: StagesOnPostgres, seed: int) -> None:
        self._stages = stages
        self._chance = Random(seed)
        self._events = 0

    def step(self) -> None:
        act = self._chance.choices((self._send, self._rollback, self._take_out), (6, 2, 2))[0]
        act()

    def _send(self) -> None:
        for _ in range(self._chance.randint(1, 3)):
            self._events += 1
            kinds = self._chance.sample(("email", "phone", "cookie_id"), self._chance.randint(1, 2))
            values = {
                "email": f"user{self._chance.randint(1, 4)}@mailbox.net",
                "phone": f"+1415555010{self._chance.randint(1, 4)}",
                "cookie_id": f"cookie-{self._chance.randint(1, 4)}",
            }
            traits = {"first_name": self._chance.choice(("Anna", "Ana", "Anne")), "last_name": "Kowalski"}
            told = traits if self._chance.random() < 0.7 else {}
            source = self._chance.choice(("web", "pos", "crm"))
            minute = self._chance.randint(0, 600)  # late ones among them
            identifiers = {kind: values[kind] for kind in kinds}
            self._stages.send(event(self._events, identifiers, traits=told, source=source, minute=minute))

    def _rollback(self) -> None:
        rows = self._stages.rows(
            "SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged' AND NOT rolled_back ORDER BY 1"
        )
        if rows:
            with suppress(Conflict):  # it came apart by itself
                self._stages.rollback(self._chance.choice(rows)[0])

    def _take_out(self) -> None:
        rows = self._stages.rows(
            "SELECT profile_id, (array_agg(record_id ORDER BY record_id))[1] FROM identity_record "
            "GROUP BY 1 HAVING count(*) > 1 ORDER BY 1"
        )
        if rows:
            profile, record = self._chance.choice(rows)
            asked = Asked("ann", "not theirs", datetime.now(UTC))
            take_out(self._stages.stewardship(), profile, [record], [], asked)


async def stands(client: httpx.AsyncClient, profile: Id) -> dict[str, object]:
    """What a profile is now, as its history is to tell it."""
    answer = await client.get(f"/v1/profiles/{profile}", headers={"Cache-Control": "no-cache"})
    found = answer.json()
    return {
        "profile_id": found["profile_id"],
        "merged_from": found["merged_from"],
        "record_ids": sorted(found["record_ids"]),
        "identifiers": sorted(str(i) for i in found["identifiers"]),
        "golden_record": {a: (g["value"], g["record_id"]) for a, g in found["golden_record"].items()},
    }


async def stood(client: httpx.AsyncClient, profile: Id, at: datetime) -> dict[str, object]:
    """What `history` tells of it, in the same form."""
    answer = await client.get(f"/v1/profiles/{profile}/history", params={"as_of": at.isoformat()})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["exact"], found["notes"]) == (True, [])
    return {
        "profile_id": found["profile_id"],
        "merged_from": found["merged_from"],
        "record_ids": sorted(found["record_ids"]),
        "identifiers": sorted(str(i) for i in found["identifiers"]),
        "golden_record": {a: (g["value"], g["record_id"]) for a, g in found["golden_record"].items()},
    }


@pytest.mark.parametrize("seed", [1, 2])
async def test_history_tells_what_stood(
    client: httpx.AsyncClient, stages: StagesOnPostgres, seed: int
) -> None:
    world = World(stages, seed)
    live: list[tuple[datetime, Id, dict[str, object]]] = []
    for _ in range(STEPS):
        world.step()
        at = datetime.now(UTC)
        profiles = [p for (p,) in stages.rows("SELECT profile_id FROM customer_profile ORDER BY 1")]
        live += [(at, profile, await stands(client, profile)) for profile in profiles]
    kinds = {k for (k,) in stages.rows("SELECT DISTINCT kind FROM identity_merge_log")}
    assert kinds == {"merged", "split", "rolled_back"}
    for at, profile, then in live:
        assert await stood(client, profile, at) == then, (at, profile)


async def test_a_merge_while_it_is_read_changes_nothing_of_then(
    client: httpx.AsyncClient, stages: StagesOnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages.send(event(1, MAIL))
    stages.send(event(2, PHONE))
    kept, gone = home_of(stages, 1), home_of(stages, 2)
    before = datetime.now(UTC)
    then = {profile: await stood(client, profile, before) for profile in (kept, gone)}
    rows = Transaction.rows

    def merged_behind(tx: Transaction, name: str, parameters: Parameters = ()) -> list[TupleRow]:
        found = rows(tx, name, parameters)
        if name == "history_moves":
            monkeypatch.setattr(Transaction, "rows", rows)
            stages.send(event(3, {**MAIL, **PHONE}))
        return found

    monkeypatch.setattr(Transaction, "rows", merged_behind)
    assert await stood(client, gone, before) == then[gone]
    assert home_of(stages, 2) == kept
    assert await stood(client, kept, before) == then[kept]


async def test_before_and_after_a_merge_and_where_the_id_leads_now(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    stages.send(event(1, MAIL))
    stages.send(event(2, PHONE))
    kept, gone = home_of(stages, 1), home_of(stages, 2)
    before = datetime.now(UTC)
    stages.send(event(3, MAIL | PHONE))
    after = datetime.now(UTC)
    for at, led, merged_from in ((before, gone, None), (after, kept, str(gone))):
        answer = await client.get(f"/v1/profiles/{gone}/history", params={"as_of": at.isoformat()})
        found = answer.json()
        assert (found["profile_id"], found["merged_from"], found["leads_to"]) == (
            str(led),
            merged_from,
            str(kept),
        )
        assert found["events"] == (1 if merged_from is None else 3)


async def test_after_an_activation_the_past_is_not_exact(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    stages.send(event(1, MAIL))
    before = datetime.now(UTC)
    stages.rows(
        "INSERT INTO activation (at, actor, reason, plan, model_version, policy_version, counts) "
        "VALUES (now(), 'ann', 'better model', 'p', 'm', 'p', '{}') RETURNING activation_id"
    )
    path = f"/v1/profiles/{home_of(stages, 1)}/history"
    found = (await client.get(path, params={"as_of": before.isoformat()})).json()
    assert not found["exact"]
    assert "replaced by a replay" in found["notes"][0]
    now = (await client.get(path, params={"as_of": datetime.now(UTC).isoformat()})).json()
    assert now["exact"]


async def test_moments_that_cannot_be_told_are_refused(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    chain(stages)
    one = home_of(stages, 1)
    for profile, query, status in (
        (one, {"as_of": "2020-01-01T00:00:00Z"}, 404),
        (one, {"as_of": "2999-01-01T00:00:00Z"}, 400),
        (one, {"as_of": "2026-01-01T00:00:00"}, 400),
        (one, {"as_of": "yesterday"}, 400),
        (one, {}, 400),
        (uuid4(), {"as_of": "2026-01-01T00:00:00Z"}, 404),
    ):
        answer = await client.get(f"/v1/profiles/{profile}/history", params=query)
        assert answer.status_code == status, (query, answer.text)
        assert answer.json()["error"]["message"]

"""A customer in figures, what happened to them, and their identifiers with history, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from gateway.store import Reads
from gateway.survivors import Led, led_to
from pipeline.answer import Answer
from pipeline.api_keys.scope import Scope
from tests.integration.test_answers import ANNA, RULES, home_of
from tests.integration.test_unmerge import MAIL, PHONE, chain, record, take
from tests.support.gateway import gateway_over
from tests.support.pipeline import StagesOnPostgres, event


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    opened.close()


def order(number: int, amount: float, currency: str, *categories: str | None, **more: object) -> object:
    items = [{"sku": f"s{n}", "quantity": 2, "category": c} for n, c in enumerate(categories)]
    return event(number, MAIL, payload={"amount": amount, "currency": currency, "items": items, **more})


async def told(client: httpx.AsyncClient, path: str, **query: object) -> dict[str, object]:
    answer = await client.get(f"/v1/profiles/{path}", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def walked(client: httpx.AsyncClient, path: str, **query: object) -> list[dict[str, object]]:
    """All entries of a list, a page at a time."""
    found: list[dict[str, object]] = []
    cursor: object = None
    while True:
        page = await told(client, path, **query, **({"cursor": cursor} if cursor else {}))
        assert isinstance(page["data"], list)
        assert not [entry for entry in page["data"] if entry in found]
        found += page["data"]
        cursor = page["next"]
        if cursor is None:
            return found


async def test_a_customer_in_figures(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    stages.send(
        order(1, 30, "USD", "tea", "tea", None, channel="app"),  # type: ignore[arg-type]
        order(2, 20.1, "USD", "tea", "cups", store="soma", channel="pos"),  # type: ignore[arg-type]
        order(3, -0.1, "USD", store="soma", channel="pos"),  # type: ignore[arg-type]
        order(4, 7, "EUR"),  # type: ignore[arg-type]
        event(5, MAIL),
    )
    found = await told(client, f"{home_of(stages, 1)}/summary")
    whole = await told(client, home_of(stages, 1), include="summary")
    assert whole["summary"] == found
    assert (await told(client, home_of(stages, 1)))["summary"] is None
    money = found["lifetime_value"]
    assert isinstance(money, list)
    assert [(m["currency"], m["orders"], m["total"], m["average"]) for m in money] == [
        ("USD", 3, 50.0, 16.67),
        ("EUR", 1, 7.0, 7.0),
    ]
    assert (found["orders"], found["events_considered"], found["sources"]) == (4, 5, ["web"])
    assert (found["first_seen"], found["last_seen"]) == ("2026-01-01T00:01:00Z", "2026-01-01T00:05:00Z")
    named = {
        what: [(h["name"], h["events"], h["orders"], h["quantity"]) for h in found[what]]  # type: ignore[attr-defined]
        for what in ("categories", "channels", "stores")
    }
    assert named == {
        "categories": [("tea", 2, 2, 6.0), ("cups", 1, 1, 2.0)],
        "channels": [("pos", 2, 2, None), ("web", 2, 1, None), ("app", 1, 1, None)],
        "stores": [("soma", 2, 2, None)],
    }
    scored = found["scores"]
    assert isinstance(scored, dict)
    assert (scored["currency"], scored["orders"], scored["spent"]) in {("USD", 4, 50.0), ("USD", 0, 0.0)}
    assert found["reviews"] == []


async def test_who_bought_nothing_has_no_scores_but_open_questions(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    stages.send(event(1, {"loyalty_id": "L-1001", **MAIL}, traits=ANNA))
    stages.send(event(2, {"loyalty_id": "L-2002", **MAIL}, traits=ANNA))
    one, other = home_of(stages, 1), home_of(stages, 2)
    for asked, named in ((one, other), (other, one)):
        found = await told(client, f"{asked}/summary")
        assert (found["orders"], found["scores"], found["lifetime_value"]) == (0, None, [])
        assert isinstance(found["reviews"], list)
        (review,) = found["reviews"]
        assert (review["review_id"], review["other_profile"]) == (str(stages.review()), str(named))


async def test_a_profile_without_records_is_told_of(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    empty = uuid4()
    stages.rows(
        "INSERT INTO customer_profile (profile_id, created_at, updated_at) VALUES (%s, now(), now()) RETURNING 1",
        empty,
    )
    found = await told(client, f"{empty}/summary")
    assert (found["first_seen"], found["sources"], found["orders"], found["events_considered"]) == (
        None,
        [],
        0,
        0,
    )
    assert await walked(client, f"{empty}/timeline") == []
    for part in ("/identifiers", "/relationships", "/events"):
        await told(client, f"{empty}{part}")


async def test_all_that_happened_in_one_list(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    first, _ = chain(stages)
    stages.rollback(first)
    stages.send(event(6, {"loyalty_id": "L-9", **MAIL}, traits=ANNA))
    kept = home_of(stages, 1)
    whole = await walked(client, f"{kept}/timeline", limit=100)
    kinds = [entry["kind"] for entry in whole]
    assert sorted(set(kinds)) == ["cannot_link", "event", "merged", "rolled_back", "split"]
    assert [e["at"] for e in whole] == sorted((str(e["at"]) for e in whole), reverse=True)
    assert kinds.index("rolled_back") < kinds.index("merged") < kinds.index("event")
    (kept_apart,) = [e for e in whole if e["kind"] == "cannot_link"]
    assert (kept_apart["actor"], kept_apart["reason"]) == ("steward", "wrong person")
    for only, some in {
        "events": {"event"},
        "decisions": {"merged", "rolled_back", "split"},
        "actions": {"cannot_link"},
    }.items():
        part = await walked(client, f"{kept}/timeline", only=only)
        assert part == [e for e in whole if e["kind"] in some]
    for limit in (1, 2, 3):
        assert await walked(client, f"{kept}/timeline", limit=limit) == whole


async def test_an_answer_is_told_once_to_either_side(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    stages.send(event(1, {"loyalty_id": "L-1001", **MAIL}, traits=ANNA))
    stages.send(event(2, {"loyalty_id": "L-2002", **MAIL}, traits=ANNA))
    review = stages.review()
    stages.answer(review, Answer.REJECTED)
    for number in (1, 2):
        (said,) = await walked(client, f"{home_of(stages, number)}/timeline", only="actions")
        assert (said["kind"], said["review_id"], said["review_kind"]) == (
            "review_rejected",
            str(review),
            "merge",
        )
        assert (said["actor"], said["reason"]) == ("steward", "I know them")


async def test_pages_stay_where_they_are_while_events_come(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    same_time = [event(n, MAIL, minute=5) for n in range(1, 8)]
    stages.send(*same_time)
    of = str(home_of(stages, 1))
    before = await walked(client, f"{of}/timeline", limit=100)
    read: list[dict[str, object]] = []
    cursor: object = None
    for number in range(100, 200, 10):
        page = await told(client, f"{of}/timeline", limit=2, **({"cursor": cursor} if cursor else {}))
        assert isinstance(page["data"], list)
        read += page["data"]
        cursor = page["next"]
        if cursor is None:
            break
        stages.send(*(event(number + n, MAIL, minute=minute) for n, minute in enumerate((1, 5, 30))))
    ids = [e["event"]["event_id"] for e in read]  # type: ignore[index]
    assert len(ids) == len(set(ids))
    assert [e for e in read if e in before] == before


async def test_what_stewards_see_is_not_told_to_who_only_reads(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: StagesOnPostgres
) -> None:
    stages.rollback(chain(stages)[0])
    kept = home_of(stages, 1)
    stages.send(event(11, {"loyalty_id": "L-1001", "email": "b@mailbox.net"}, traits=ANNA))
    stages.send(event(12, {"loyalty_id": "L-2002", "email": "b@mailbox.net"}, traits=ANNA))
    asked = home_of(stages, 11)
    keys = f"r:{Scope.READ},s:{Scope.READ}+{Scope.STEWARD}"
    async with gateway_over(database, tmp_path, monkeypatch, api_keys=keys) as client:
        client.headers["Authorization"] = "Bearer s"
        seen = [await told(client, f"{asked}/summary"), await told(client, f"{kept}/timeline", limit=100)]
        client.headers["Authorization"] = "Bearer r"
        read = [await told(client, f"{asked}/summary"), await told(client, f"{kept}/timeline", limit=100)]
    assert [(len(s["reviews"]), s["open_reviews"]) for s in (seen[0], read[0])] == [(1, 1), (0, 1)]  # type: ignore[arg-type]
    assert "wrong person" in str(seen[1])
    assert "wrong person" not in str(read[1])
    kept_back = {"actor": None, "reason": None, "constraints": []}
    entries = seen[1]["data"]
    assert isinstance(entries, list)
    assert {"merged", "rolled_back", "cannot_link", "event"} <= {entry["kind"] for entry in entries}
    for entry in entries:
        assert not set(kept_back) & set(entry) or (entry["actor"] and entry["reason"])
        assert entry["kind"] != "cannot_link" or entry["constraints"]
    assert read[1]["data"] == [
        {**entry, **{name: value for name, value in kept_back.items() if name in entry}} for entry in entries
    ]


@pytest.mark.parametrize(
    ("part", "module"),
    [
        ("summary", "gateway.customer"),
        ("identifiers", "gateway.customer"),
        ("timeline", "gateway.timeline"),
        ("events", "gateway.profiles"),
    ],
)
async def test_a_merge_while_it_is_read_leaves_an_answer_whole(
    client: httpx.AsyncClient,
    stages: StagesOnPostgres,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    module: str,
) -> None:
    stages.send(event(1, MAIL))
    stages.send(event(2, PHONE))
    gone = home_of(stages, 2)
    before = await told(client, f"{gone}/{part}")

    async def merged_behind(read: Reads, profile_id: UUID) -> Led:
        found = await led_to(read, profile_id)
        stages.send(event(3, {**MAIL, **PHONE}))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.led_to", merged_behind)
        assert await told(client, f"{gone}/{part}") == before
    assert (await told(client, f"{gone}/{part}"))["merged_from"] == str(gone)


async def test_identifiers_tell_how_they_came_and_went(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    first, second = chain(stages)
    kept = str(home_of(stages, 1))
    found = await told(client, f"{kept}/identifiers")
    identifiers = found["identifiers"]
    assert isinstance(identifiers, list)
    by_type = {i["type"]: i for i in identifiers}
    assert {t: i["value"] for t, i in by_type.items()} == {
        "email": "a…@mailbox.net",
        "phone": "+14…01",
        "loyalty_id": "…",
    }
    assert by_type["email"]["records"] == sorted(str(record(stages, n)) for n in (1, 3, 5))
    came = {t: [(m["kind"], m["merge_log_id"]) for m in i["moves"]] for t, i in by_type.items()}
    assert came == {"email": [], "phone": [("merged", str(first))], "loyalty_id": [("merged", str(second))]}
    stages.rollback(first)
    take(stages, record(stages, 4), record(stages, 5))
    by_type = {i["type"]: i for i in (await told(client, f"{kept}/identifiers"))["identifiers"]}  # type: ignore[attr-defined]
    phone, card = by_type["phone"], by_type["loyalty_id"]
    assert [m["kind"] for m in phone["moves"]] == ["merged", "rolled_back"]
    assert (phone["current"], phone["records"]) == (True, [str(record(stages, 3))])
    assert {m["kind"] for m in card["moves"]} == {"merged", "split"}
    assert (card["current"], len(card["records"])) == (False, 2)
    left = (await told(client, f"{home_of(stages, 4)}/identifiers"))["identifiers"]
    assert "loyalty_id" in {i["type"] for i in left if i["current"]}  # type: ignore[attr-defined]


PARTS = ("", "/summary", "/timeline", "/identifiers", "/events", "/relationships", "/similar")


async def test_who_was_merged_away_answers_with_the_survivor(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    chain(stages)
    kept = str(home_of(stages, 1))
    gone = str(stages.rows("SELECT profile_id FROM customer_profile WHERE is_merged")[0][0])
    for part in PARTS:
        theirs, found = await told(client, f"{kept}{part}"), await told(client, f"{gone}{part}")
        assert (found.pop("profile_id"), found.pop("merged_from")) == (kept, gone), part
        assert (theirs.pop("profile_id"), theirs.pop("merged_from")) == (kept, None), part
        assert found == theirs


async def test_what_cannot_be_answered_is_an_error_of_the_caller(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    stages.send(event(1, MAIL))
    for part in PARTS:
        for path, status, code in (
            (f"{uuid4()}{part}", 404, "NOT_FOUND"),
            (f"7{part}", 400, "VALIDATION_ERROR"),
        ):
            answer = await client.get(f"/v1/profiles/{path}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), path
    for query in ({"cursor": "x"}, {"only": "all"}, {"limit": 0}, {"cursor": "x" * 600}):
        answer = await client.get(f"/v1/profiles/{home_of(stages, 1)}/timeline", params=query)  # type: ignore[arg-type]
        assert answer.status_code == 400, query
        assert next(iter(query)) in answer.json()["error"]["message"]


async def test_times_are_told_as_such(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    stages.send(event(1, MAIL))
    (entry,) = await walked(client, f"{home_of(stages, 1)}/timeline")
    assert datetime.fromisoformat(str(entry["at"])).tzinfo is not None

"""Finding customers over HTTP: exactly, by what is known of a person, and by conditions, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx
import pytest
from structlog.testing import capture_logs

from tests.integration.test_answers import RULES, home_of
from tests.support.pipeline import StagesOnPostgres, event

ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02", "postcode": "94107"}
JOHN = {"first_name": "John", "last_name": "Kowalsky", "date_of_birth": "1975-07-30", "postcode": "10001"}
MARY = {"first_name": "Mary", "last_name": "Jones", "street": "12 Elm Street", "postcode": "60601"}
MAIL = {"email": "anna@mailbox.net"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    opened.send(
        event(1, MAIL, traits=ANNA),
        event(2, {"phone": "+14155550101"}, traits=JOHN, source="pos"),
        event(3, {"loyalty_id": "L-3"}, traits=MARY, source="crm"),
        event(4, {"cookie_id": "c-4"}),
    )
    yield opened
    opened.close()


async def search(client: httpx.AsyncClient, **body: object) -> dict[str, object]:
    answer = await client.post("/v1/profiles:search", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def hits(found: Mapping[str, object]) -> list[dict[str, object]]:
    data = found["data"]
    assert isinstance(data, list)
    return data


def ids(found: Mapping[str, object]) -> list[str]:
    return [hit["profile"]["profile_id"] for hit in hits(found)]  # type: ignore[index]


async def walked(client: httpx.AsyncClient, **body: object) -> list[str]:
    found: list[str] = []
    cursor: object = None
    while True:
        page = await search(client, **body, cursor=cursor)
        found += ids(page)
        assert len(found) == len(set(found))
        cursor = page["next"]
        if cursor is None:
            return found


async def test_by_identifiers_all_of_which_are_held(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    anna = str(home_of(stages, 1))
    assert ids(await search(client, identifiers={"email": " Anna@Mailbox.net"})) == [anna]
    both = {"email": "anna@mailbox.net", "phone": "+14155550101"}
    assert ids(await search(client, identifiers=both)) == []
    stages.send(event(5, both, traits=ANNA))
    assert ids(await search(client, identifiers=both)) == [str(home_of(stages, 5))]


KNOWN: tuple[tuple[dict[str, str], int], ...] = (
    ({"full_name": "Ana Kowalsky", "postcode": "94107"}, 1),
    ({"full_name": "Kowalski Anna", "date_of_birth": "1980-02-01"}, 1),
    ({"last_name": "Kowalski", "date_of_birth": "1975-07-30"}, 2),
    ({"address": "12 Elm St, Chicago, 60601"}, 3),
    ({"full_name": "M. Jones", "address": "12 Elm Street", "postcode": "60601"}, 3),
    ({"email": "anna@mailbox.org", "first_name": "Anna"}, 1),
    ({"date_of_birth": "1980-01-02"}, 1),
)


async def test_by_what_is_known_of_a_person(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    for person, first in KNOWN:
        found = hits(await search(client, person=person))
        assert found, person
        best = found[0]
        assert best["profile"]["profile_id"] == str(home_of(stages, first)), person  # type: ignore[index]
        assert best["evidence"]
        scores = [hit["score"] for hit in found]
        assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]


async def test_the_evidence_is_what_the_model_says(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    found = await search(client, person={**ANNA})
    best, *others = hits(found)
    levels = {e["attribute"]: e["level"] for e in best["evidence"] if e["bits"] > 0}  # type: ignore[attr-defined]
    assert levels == {
        "given_name": "exact",
        "surname": "exact",
        "date_of_birth": "exact",
        "address": "postcode",
    }
    assert found["compared"] == 1 + len(others)
    assert isinstance(best["score"], float)
    assert ids(await search(client, person={**ANNA}, min_score=best["score"])) == ids(found)[:1]
    assert ids(await search(client, person={**ANNA}, min_score=1)) == []
    assert "mailbox" not in str(best["evidence"])


async def test_conditions_narrow_what_is_found(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    anna, john, mary, cookie = (str(home_of(stages, n)) for n in range(1, 5))
    for given, expected in (
        ({"source": "pos"}, [john]),
        ({"source": "none"}, []),
        ({"identifier_types": ["loyalty_id"]}, [mary]),
        ({"identifier_types": ["loyalty_id", "email"]}, []),
        ({"last_seen_from": "2026-01-01T00:03:00Z"}, [mary, cookie]),
        ({"last_seen_before": "2026-01-01T00:02:00Z"}, [anna]),
        ({"created_before": "2026-01-01T00:00:00Z"}, []),
        ({"has_open_review": False}, [anna, john, mary, cookie]),
        ({"has_open_review": True}, []),
        ({}, [anna, john, mary, cookie]),
    ):
        assert sorted(ids(await search(client, filter=given))) == sorted(expected), given
    surname = {"last_name": "Kowalski"}
    assert set(ids(await search(client, person=surname))) == {anna, john}
    assert ids(await search(client, person=surname, filter={"source": "pos"})) == [john]
    assert ids(await search(client, person=surname, identifiers=MAIL)) == [anna]
    assert ids(await search(client, identifiers=MAIL, filter={"source": "pos"})) == []


async def test_who_has_an_open_review_is_found(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    stages.send(event(11, {"loyalty_id": "L-11", "email": "dora@mailbox.net"}, traits=ANNA))
    stages.send(event(12, {"loyalty_id": "L-12", "email": "dora@mailbox.net"}, traits=ANNA))
    asked = {
        str(p)
        for row in stages.rows("SELECT low_profile, high_profile FROM review_queue WHERE status = 'pending'")
        for p in row
    }
    assert asked
    for limit in (1, 20):
        found = await walked(client, filter={"has_open_review": True}, limit=limit)
        assert (len(found), set(found)) == (len(asked), asked)


@pytest.mark.parametrize(
    "sought",
    [
        {"filter": {"identifier_types": ["phone"]}},
        {"person": {"last_name": "Miller", "postcode": "94107"}},
        {"identifiers": {"phone": "+14155550199"}},
    ],
)
async def test_pages_cut_anywhere_while_customers_come_give_each_once(
    client: httpx.AsyncClient, stages: StagesOnPostgres, sought: dict[str, object]
) -> None:
    names = ["Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus"]

    def miller(number: int, name: str) -> object:
        who = {
            "first_name": name,
            "last_name": "Miller",
            "postcode": "94107",
            "date_of_birth": f"{1950 + number % 40}-03-0{1 + number % 9}",
        }
        return event(number, {"loyalty_id": f"M-{number}", "phone": "+14155550199"}, traits=who)

    stages.send(*(miller(20 + n, name) for n, name in enumerate(names)))  # type: ignore[arg-type]
    before = await walked(client, **sought, limit=100)
    assert len(before) >= len(names)
    for limit in (1, 2, 3):
        assert await walked(client, **sought, limit=limit) == before
    read: list[str] = []
    cursor: object = None
    for number in range(100, 140):
        page = await search(client, **sought, limit=2, cursor=cursor)
        read += ids(page)
        cursor = page["next"]
        if cursor is None:
            break
        if number < 104:
            stages.send(miller(number, f"{names[number % 7]}la"))  # type: ignore[arg-type]
    assert len(read) == len(set(read))
    assert [one for one in read if one in before] == before


WRONG: tuple[tuple[dict[str, object], str], ...] = (
    ({}, "person"),
    ({"person": {}}, "person"),
    ({"person": {"country": "DE"}}, "person"),
    ({"person": {"date_of_birth": "yesterday"}}, "person.date_of_birth"),
    ({"person": {"last_name": "n/a"}}, "person.last_name"),
    ({"person": {"surname": "x"}}, "person.surname"),
    ({"person": {"last_name": "a\x00b"}}, "person.last_name"),
    ({"identifiers": {}}, "identifiers"),
    ({"identifiers": {"phone": "12"}}, "identifiers.phone"),
    ({"identifiers": MAIL, "cursor": "x"}, "cursor"),
    ({"identifiers": MAIL, "limit": 0}, "limit"),
    ({"filter": {"source": "a b"}}, "filter.source"),
    ({"filter": {"identifier_types": ["fax"]}}, "filter.identifier_types"),
    ({"filter": {"last_seen_from": "2026-01-01T00:00:00"}}, "filter.last_seen_from"),
    ({"person": {"last_name": "x"}, "min_score": 2}, "min_score"),
)


async def test_what_cannot_be_sought_is_named(client: httpx.AsyncClient) -> None:
    for body, field in WRONG:
        answer = await client.post("/v1/profiles:search", json=body)
        assert answer.status_code == 400, (body, answer.text)
        assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
        assert answer.json()["error"]["message"].removeprefix("body.").startswith(field), body


async def test_a_cursor_is_of_one_search(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    cursor = (await search(client, filter={}, limit=1))["next"]
    assert cursor
    answer = await client.post("/v1/profiles:search", json={"filter": {"source": "pos"}, "cursor": cursor})
    assert answer.status_code == 400
    assert "none of this list" in answer.json()["error"]["message"]


async def test_whose_identifiers_are_revealed_is_told(
    client: httpx.AsyncClient, stages: StagesOnPostgres
) -> None:
    anna = str(home_of(stages, 1))
    revealed = (
        "SELECT profiles FROM audit_entry WHERE request_id = %s "
        "AND (action = 'customer.revealed' OR details @> '{\"revealed\": true}')"
    )
    for path, body in (("profiles:search", {"identifiers": MAIL}), (f"profiles/{anna}/identifiers", None)):
        for reveal in (False, True):
            method = "GET" if body is None else "POST"
            asked = f"{method}-{reveal}"
            with capture_logs() as logs:
                answer = await client.request(
                    method,
                    f"/v1/{path}",
                    json=body,
                    params={"reveal": str(reveal).lower()},
                    headers={"X-Request-ID": asked},
                )
            assert answer.status_code == 200, answer.text
            assert (MAIL["email"] in answer.text) is reveal
            told = [str(p) for (profiles,) in stages.rows(revealed, asked) for p in profiles]
            assert told == ([anna] if reveal else [])
            assert MAIL["email"] not in str(logs)

"""The gateway over real servers: what it takes arrives on the topic, what was resolved can be read and undone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from pipeline.settings import Settings
from schemas.codec import load_codec
from tests.support.processes import PATIENCE_S, gateway, process, resolved


@pytest.fixture
def client(house: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    settings = house.model_copy(update={"rate_limit_per_minute": 0, "home": tmp_path})
    with gateway(settings, tmp_path / "gateway.log") as running:
        yield running


@pytest.fixture
def whole(house: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    """A gateway with the stages behind it."""
    settings = house.model_copy(update={"rate_limit_per_minute": 0, "home": tmp_path})
    with ExitStack() as running:
        client = running.enter_context(gateway(settings, tmp_path / "gateway.log"))
        for stage in ("pipeline.normalize_stage", "pipeline.resolve_stage"):
            running.enter_context(process(stage, settings, tmp_path / f"{stage}.log"))
        yield client


def event(**changes: object) -> dict[str, object]:
    return {
        "source": "web",
        "event_type": "visit",
        "identifiers": {"email": f"{uuid4().hex}@postbox.io"},
    } | changes


def raw_events(settings: Settings) -> list[dict[str, object]]:
    """All messages of events.raw."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": uuid4().hex})
    topic = settings.topic("events.raw")
    found: list[dict[str, object]] = []
    codec = load_codec(settings)
    try:
        for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            place = TopicPartition(topic, partition, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([place])
            for _ in range(end):
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None
                found.append(codec.decode("events.raw", message.value()))
    finally:
        consumer.close()
    return found


def test_an_event_is_on_the_topic_when_202_comes(client: httpx.Client, house: Settings) -> None:
    sent = event(
        event_id="order-17",
        occurred_at="2026-01-31T09:30:00+02:00",
        traits={"first_name": "Zoë"},
        payload={"amount": 5, "items": []},
    )
    answer = client.post("/v1/events", json=sent, headers={"X-Request-ID": "r-1", "X-Correlation-ID": "c-1"})
    assert answer.status_code == 202
    assert answer.headers["X-Request-ID"] == "r-1"
    assert answer.headers["X-Correlation-ID"] == "c-1"
    (raw,) = raw_events(house)
    assert raw["event_id"] == answer.json()["event_id"]
    assert raw["request_id"] == "r-1"
    assert raw["correlation_id"] == "c-1"
    assert raw["traits"] == {"first_name": "Zoë"}
    assert raw["payload"] == '{"amount":5,"items":[]}'
    assert str(raw["occurred_at"]) == "2026-01-31 07:30:00+00:00"
    again = client.post("/v1/events", json=sent)
    assert again.json()["event_id"] == answer.json()["event_id"]


def test_a_batch_takes_the_good_and_names_the_bad(client: httpx.Client, house: Settings) -> None:
    events = [
        event(),
        event(identifiers={"phone": "no phone"}),
        event(identifiers={"email": "nobody.example.com"}),
        event(traits={"date_of_birth": "2999-01-01"}),
        event(payload={"big": "x" * 300_000}),
        event(identifiers={"phone": [str(n) for n in range(10_000)]}),
        event(traits={"first_name": "Zoë \u0007🎉"}),
        {"source": "web"},
        7,
        event(traits={"first_name": "Zoë"}, identifiers={"email": "test@test.com"}),
    ]
    answer = client.post("/v1/events:batch", json={"events": events})
    assert answer.status_code == 202
    body = answer.json()
    assert [r["status"] for r in body["results"]] == [202, 400, 400, 400, 413, 400, 400, 400, 400, 202]
    assert (body["accepted"], body["refused"]) == (2, 8)
    fields = [[d["field"] for d in r["error"]["details"]] for r in body["results"] if "error" in r]
    assert fields == [
        ["identifiers.phone"],
        ["identifiers.email"],
        ["traits.date_of_birth"],
        ["payload"],
        ["identifiers"],
        ["traits.first_name"],
        ["event_type"],
        ["event"],
    ]
    assert body["results"][9]["warnings"][0]["code"] == "placeholder"
    assert "no phone" not in answer.text
    assert len(raw_events(house)) == 2


def test_a_wrong_body_is_answered_in_the_envelope(client: httpx.Client) -> None:
    bodies = {
        b"{": (400, "VALIDATION_ERROR"),
        b"\xff": (400, "VALIDATION_ERROR"),
        b"[]": (400, "VALIDATION_ERROR"),
        b"{}": (400, "VALIDATION_ERROR"),
        b'{"events": []}': (400, "VALIDATION_ERROR"),
        b"[" * 100_000: (400, "VALIDATION_ERROR"),
        b" " * 40_000_000: (413, "PAYLOAD_TOO_LARGE"),
    }
    for content, (status, code) in bodies.items():
        for path in ("/v1/events", "/v1/events:batch"):
            answer = client.post(path, content=content)
            assert answer.status_code == status
            assert answer.json()["error"]["code"] == code
            assert answer.json()["error"]["request_id"] == answer.headers["X-Request-ID"]


def test_a_body_of_unsaid_length_is_bounded_too(client: httpx.Client) -> None:
    answer = client.post("/v1/events", content=iter([b" " * 1_000_000] * 40))
    assert answer.status_code == 413


def test_errors_have_one_form(client: httpx.Client) -> None:
    found = {
        client.get("/v1/nowhere"): (404, "NOT_FOUND"),
        client.get("/nowhere"): (404, "NOT_FOUND"),
        client.delete("/v1/events"): (405, "VALIDATION_ERROR"),
        client.get(f"/v1/profiles/{uuid4()}"): (404, "NOT_FOUND"),
        client.get("/v1/profiles/7"): (400, "VALIDATION_ERROR"),
        client.get("/v1/profiles"): (400, "VALIDATION_ERROR"),
        client.get("/v1/profiles", params={"phone": "no phone"}): (400, "VALIDATION_ERROR"),
        client.get("/v1/merge-logs", params={"page": 0}): (400, "VALIDATION_ERROR"),
        client.post(f"/v1/merge-logs/{uuid4()}/rollback", json={"reason": "x"}): (404, "NOT_FOUND"),
        client.post(f"/v1/merge-logs/{uuid4()}/rollback", json={}): (400, "VALIDATION_ERROR"),
        client.get("/v1/events", headers={"Authorization": "Bearer wrong"}): (401, "UNAUTHORIZED"),
        client.get("/v1/profiles", headers={"Authorization": ""}): (401, "UNAUTHORIZED"),
    }
    for answer, (status, code) in found.items():
        assert answer.status_code == status, answer.url
        assert set(answer.json()["error"]) >= {"message", "code", "request_id"}
        assert answer.json()["error"]["code"] == code


def test_a_wrong_parameter_is_told_what_would_do(client: httpx.Client) -> None:
    for path, message in {
        "/v1/profiles/7": "path.profile_id: got text of 1 characters; send a UUID, as it was given out",
        "/v1/merge-logs?page=0": "query.page: got text of 1 characters; send at least 1",
        "/v1/merge-logs?page=x": "query.page: got text of 1 characters; send a whole number",
        "/v1/profiles?phone=x": "phone: Not a possible phone number in the event's country or the default region; "
        "send a value that can name one customer",
    }.items():
        assert client.get(path).json()["error"]["message"] == message


def test_health_metrics_and_documentation(client: httpx.Client) -> None:
    client.headers.pop("Authorization")
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200, ready.text
    assert ready.json()["status"] == "ready"
    assert "rb_http_request_seconds_bucket" in client.get("/metrics").text
    page = client.get("/docs").text
    assert "://" not in page.replace("http://127.0.0.1", "")
    assert client.get("/docs/docs.js").status_code == 200
    document = client.get("/openapi.json").json()
    assert document["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"][
        "example"
    ]


def test_a_key_without_bearer_opens_too(client: httpx.Client) -> None:
    assert client.get("/v1/merge-logs", headers={"Authorization": "test-key"}).json()["data"] == []


def test_a_caller_over_its_limit_is_told_when_to_come_back(house: Settings, tmp_path: Path) -> None:
    settings = house.model_copy(update={"rate_limit_per_minute": 5, "home": tmp_path})
    with gateway(settings, tmp_path / "gateway.log") as client:
        answers = [client.get("/v1/merge-logs") for _ in range(7)]
        assert [a.status_code for a in answers[:4]] == [200] * 4
        assert answers[-1].status_code == 429
        assert answers[-1].json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 120
        assert client.get("/healthz").status_code == 200


def until_resolved(client: httpx.Client, **sent: object) -> str:
    return str(resolved(client, event(**sent)))


def test_a_customer_from_first_event_to_undone_merge(whole: httpx.Client) -> None:
    client = whole
    email, phone = f"{uuid4().hex}@postbox.io", "+14155550132"
    by_email = until_resolved(client, identifiers={"email": email}, traits={"first_name": "Jane"})
    by_phone = until_resolved(client, identifiers={"phone": phone}, traits={"first_name": "Jane"})
    assert by_email != by_phone
    both = until_resolved(client, identifiers={"email": email, "phone": phone}, traits={"first_name": "Jane"})
    assert both == by_email

    profile = client.get(f"/v1/profiles/{by_phone}").json()
    assert profile["profile_id"] == by_email
    assert profile["merged_from"] == by_phone
    assert profile["record_count"] == 3
    assert profile["golden_record"]["first_name"]["value"] == "jane"
    assert profile["golden_record"]["first_name"]["decided_by"] == "agreed"
    assert {i["type"]: i["value"] for i in profile["identifiers"]} == {
        "email": f"{email[0]}…@postbox.io",
        "phone": "+14…32",
    }
    assert email not in str(profile)

    for query in ({"email": email.upper()}, {"phone": "(415) 555-0132"}, {"phone": phone, "email": email}):
        page = client.get("/v1/profiles", params=query).json()
        assert [p["profile_id"] for p in page["data"]] == [by_email]
        assert page["pagination"] == {"page": 1, "limit": 20, "total": 1, "total_pages": 1}
    assert client.get("/v1/profiles", params={"phone": phone, "email": "b@postbox.io"}).json()["data"] == []

    events = client.get(f"/v1/profiles/{by_phone}/events", params={"limit": 2}).json()
    assert events["pagination"] == {"page": 1, "limit": 2, "total": 3, "total_pages": 2}
    assert events["data"][0]["source"] == "web"

    (merge,) = client.get("/v1/merge-logs", params={"kind": "merged"}).json()["data"]
    assert (merge["source_profile"], merge["target_profile"]) == (by_phone, by_email)
    detail = client.get(f"/v1/merge-logs/{merge['merge_log_id']}").json()
    assert detail["source_snapshot"]
    path = f"/v1/merge-logs/{merge['merge_log_id']}/rollback"
    undone = client.post(path, json={"reason": "father and son", "actor": "ann"})
    assert undone.status_code == 200, undone.text
    assert undone.json()["merges"][0]["restored"] == by_phone
    assert client.get(f"/v1/profiles/{by_phone}").json()["profile_id"] == by_phone
    assert client.post(path, json={"reason": "again"}).json()["error"]["code"] == "CONFLICT"
    assert client.get("/v1/reviews").status_code == 200


def test_waiting_ends_in_time_with_202(client: httpx.Client) -> None:
    started = time.monotonic()
    answer = client.post("/v1/events", json=event(), headers={"Prefer": "respond-async, wait=1"})
    assert answer.status_code == 202
    assert UUID(answer.json()["event_id"])
    assert 0.9 < time.monotonic() - started < PATIENCE_S / 2


def test_an_event_that_names_nobody_resolves_to_no_profile(whole: httpx.Client) -> None:
    assert resolved(whole, event(identifiers={})) is None

"""The topics' document holds every topic that others read or write, and nothing that leads nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.asyncapi import document
from pipeline.settings import Settings
from schemas.topics import topics
from tests.unit.gateway.test_bodies import client_of
from tests.unit.gateway.test_openapi import Json, nodes


@pytest.fixture(scope="module")
def told() -> Json:
    return document(Settings(topic_prefix="shop."), "1")


def test_every_topic_but_the_stages_own_is_in_it(told: Json) -> None:
    channels = told["channels"]
    assert isinstance(channels, dict)
    assert set(channels) == set(topics()) - {"events.normalized"}
    assert {c["address"] for c in channels.values()} == {f"shop.{name}" for name in channels}
    assert channels["profiles.updates"]["bindings"]["kafka"]["topicConfiguration"] == {
        "cleanup.policy": ["compact"]
    }


def test_what_others_produce_is_received_and_all_else_sent(told: Json) -> None:
    operations = told["operations"]
    assert isinstance(operations, dict)
    received = [o["channel"]["$ref"] for o in operations.values() if o["action"] == "receive"]
    assert received == ["#/channels/events.raw"]
    assert len(operations) == 6


def test_references_resolve_and_each_message_has_an_example_with_its_fields(told: Json) -> None:
    references = [str(node["$ref"]) for node in nodes(told) if "$ref" in node]
    assert len(references) == 12
    for reference in references:
        at: object = told
        for part in reference.removeprefix("#/").split("/"):
            assert isinstance(at, dict)
            at = at[part]
    components = told["components"]
    assert isinstance(components, dict)
    for message in components["messages"].values():
        named = {field["name"] for field in message["payload"]["schema"]["fields"]}
        (example,) = message["examples"]
        assert example["payload"].keys() <= named


async def test_the_pages_and_what_they_show_are_open(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        for path, kind in (
            ("/asyncapi.json", "application/json"),
            ("/docs/events", "text/html; charset=utf-8"),
            ("/docs/events.js", "text/javascript; charset=utf-8"),
            ("/docs/docs.js", "text/javascript; charset=utf-8"),
            ("/docs/docs.css", "text/css; charset=utf-8"),
        ):
            answer = await client.get(path, headers={"Authorization": ""})
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
        assert (await client.get("/docs/other.js")).status_code == 400

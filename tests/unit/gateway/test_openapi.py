"""The OpenAPI document is whole: references resolve, routes are described, errors are typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.audit import AuditEntry
from gateway.constraint_models import Constraint, Revoked
from gateway.documentation import BODY
from gateway.producer import MemorySender
from gateway.review_models import Answered, AnsweredMany, Review
from gateway.server import make_ports
from gateway.steward_actions import StewardAction
from gateway.unmerge_models import Joined
from pipeline.events import Limits, parse_event
from pipeline.settings import Settings

Json = dict[str, object]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Json:
    home = tmp_path_factory.mktemp("home")
    ports = make_ports(Settings.model_validate({"home": home, "api_keys": "k"}), MemorySender())
    return create_app(ports).openapi()


def nodes(node: object) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from nodes(child)
    elif isinstance(node, list):
        for child in node:
            yield from nodes(child)


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    paths = document["paths"]
    assert isinstance(paths, dict)
    for path, methods in paths.items():
        for operation in methods.values():
            yield path, operation


def test_references_resolve(document: Json) -> None:
    found = [str(node["$ref"]) for node in nodes(document) if "$ref" in node]
    assert found
    for reference in found:
        at: object = document
        for part in reference.removeprefix("#/").split("/"):
            assert isinstance(at, dict)
            at = at[part]


def test_every_route_says_what_it_does(document: Json) -> None:
    for path, operation in operations(document):
        assert operation.get("summary"), path
        assert operation.get("description"), path
        assert operation.get("tags"), path


def test_protected_routes_name_their_key_and_errors(document: Json) -> None:
    protected = [(path, op) for path, op in operations(document) if path.startswith("/v1/")]
    assert len(protected) >= 10
    for path, operation in protected:
        responses = operation["responses"]
        assert isinstance(responses, dict)
        assert {"401", "403", "429", "500"} <= set(responses), path
        assert "HTTPValidationError" not in str(responses), path
        assert operation["security"], path


def test_the_example_event_is_one(document: Json) -> None:
    body = next(op for path, op in operations(document) if path == "/v1/events")["requestBody"]
    example = next(node["example"] for node in nodes(body) if "example" in node)
    from datetime import UTC, datetime

    assert parse_event(example, Limits(), datetime(2026, 3, 1, tzinfo=UTC)).source == "web"


def test_the_pages_load_nothing_from_elsewhere() -> None:
    for page in (Path(__file__).parents[3] / "gateway" / "pages").iterdir():
        assert "://" not in page.read_text("utf-8"), page


def test_routes_that_take_a_body_say_how_reading_it_may_end(document: Json) -> None:
    taking = [op for _, op in operations(document) if "requestBody" in op]
    assert len(taking) >= 10
    for operation in taking:
        responses = operation["responses"]
        assert isinstance(responses, dict)
        assert {str(status) for status in BODY} <= set(responses), operation["summary"]


def test_what_stewards_are_answered_has_examples_that_fit(document: Json) -> None:
    for model in (Review, Answered, AnsweredMany, Joined, StewardAction, AuditEntry, Constraint, Revoked):
        schema = next(n[model.__name__] for n in nodes(document) if model.__name__ in n)
        assert isinstance(schema, dict)
        example = model.model_validate(schema["example"]).model_dump(mode="json", exclude_none=True)
        assert example.keys() <= schema["properties"].keys()


def test_writes_that_are_done_once_say_by_what_key(document: Json) -> None:
    paths = document["paths"]
    assert isinstance(paths, dict)
    told = {
        path
        for path, methods in paths.items()
        for operation in methods.values()
        if "Idempotency-Key" in [p["name"] for p in operation.get("parameters", [])]
    }
    assert told >= {
        "/v1/events",
        "/v1/events:batch",
        "/v1/profiles:merge",
        "/v1/profiles/{profile_id}/split",
        "/v1/merge-logs/{merge_log_id}/rollback",
        "/v1/merge-logs:rollback",
        "/v1/reviews:answer",
        "/v1/webhooks",
        "/v1/webhooks/{webhook_id}:rotate",
        *(f"/v1/reviews/{{review_id}}/{act}" for act in ("approve", "reject", "assign", "skip")),
        "/v1/constraints/{constraint_id}/revoke",
    }


def test_what_is_done_about_a_review_or_constraint_may_be_tied_to_what_was_read(document: Json) -> None:
    paths = document["paths"]
    assert isinstance(paths, dict)
    acts = [f"/v1/reviews/{{review_id}}/{act}" for act in ("approve", "reject", "assign", "skip")]
    for act in (*acts, "/v1/constraints/{constraint_id}/revoke"):
        operation = paths[act]["post"]
        assert "If-Match" in [p["name"] for p in operation["parameters"]], act
        assert {"404", "409", "412"} <= set(operation["responses"]), act
    for read in ("approve", "reject", "assign", "skip"):
        tags = paths[f"/v1/reviews/{{review_id}}/{read}"]["post"]["responses"]["200"].get("headers", {})
        assert ("ETag" in tags) == (read in ("assign", "skip")), read
    for one in ("/v1/reviews/{review_id}", "/v1/constraints/{constraint_id}"):
        assert "ETag" in paths[one]["get"]["responses"]["200"]["headers"], one


def test_links_name_operations_and_their_parameters(document: Json) -> None:
    known = {str(operation["operationId"]): operation for _, operation in operations(document)}
    assert len(known) == len(list(operations(document)))
    links = [link for _, o in operations(document) for a in o["responses"].values() for link in links_of(a)]
    assert len(links) > 100
    for link in links:
        target = known[str(link["operationId"])]
        told = {p["name"]: p for p in target.get("parameters", [])}
        given = {str(name).rpartition(".")[2] for name in link.get("parameters", {})}
        assert given <= told.keys(), link
        assert {name for name, p in told.items() if p["in"] == "path"} <= given, link
        assert "requestBody" not in link or "requestBody" in target, link


def links_of(answer: Json) -> list[Json]:
    links = answer.get("links", {})
    assert isinstance(links, dict)
    return [*links.values()]


def test_no_parameter_is_null(document: Json) -> None:
    parameters = [p for _, operation in operations(document) for p in operation.get("parameters", [])]
    assert parameters
    for parameter in parameters:
        assert {"type": "null"} not in parameter["schema"].get("anyOf", []), parameter["name"]


def test_a_head_too_large_is_told_with_the_limit_that_is_set_by_default(document: Json) -> None:
    told = f"over {Settings.model_fields['max_header_bytes'].default} bytes"
    shown = [n["message"] for n in nodes(document) if n.get("code") == "HEADERS_TOO_LARGE" and "message" in n]
    assert shown
    assert all(told in str(message) for message in shown)


def test_whatever_may_show_values_in_clear_takes_a_reason_for_the_audit_log(document: Json) -> None:
    def names(operation: Json) -> set[str]:
        parameters = operation.get("parameters", [])
        assert isinstance(parameters, list)
        return {str(p["name"]) for p in parameters}

    told = {path for path, operation in operations(document) if "X-Audit-Reason" in names(operation)}
    revealing = {path for path, operation in operations(document) if "reveal" in names(operation)}
    assert len(revealing) >= 5
    profile = "/v1/profiles/{profile_id}"
    assert told == revealing | {f"{profile}/relationships", f"{profile}/export"}

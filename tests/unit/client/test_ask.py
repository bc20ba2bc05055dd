"""Each call is one of the gateway's routes, is made as it takes it, and reads what it answers; none is left out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from inspect import Parameter, getmembers, isfunction, signature
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Match

from client import ask
from client.call import Call
from gateway.app import create_app
from gateway.idempotency import OnceRoute
from gateway.producer import MemorySender
from gateway.rights import PROTECTED
from gateway.server import make_ports
from pipeline.settings import Settings

SOME_ID = str(UUID(int=7))
GIVEN: dict[str, object] = {
    "event": {},
    "events": [{}],
    "body": b"{}",
    "reason": "asked",
    "as_of": datetime(2026, 1, 1, tzinfo=UTC),
    "until": datetime(2026, 12, 1, tzinfo=UTC),
    "profiles": [SOME_ID, str(UUID(int=8))],
    "answer": "approved",
    "reviews": {SOME_ID: None},
    "url": "https://example.com/hooks",
    "which": {"stage": "normalize", "since": datetime(2026, 1, 1, tzinfo=UTC)},
}
CALLS = {name: function for name, function in getmembers(ask, isfunction) if name != "batch_body"}
UNASKED = {
    ("GET", "/v1/changes"),  # a stream: `RetailBrain.changes` reads it
    ("GET", "/v1/profiles"),  # `search` asks the same, with what names somebody in a body that no log holds
}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[APIRoute]:
    home: Path = tmp_path_factory.mktemp("home")
    ports = make_ports(Settings.model_validate({"home": home, "api_keys": "k"}), MemorySender())
    rooms = [getattr(room, "original_router", None) for room in create_app(ports).routes]
    return [route for room in rooms if room for route in room.routes if isinstance(route, APIRoute)]


def made(function: Callable[..., Call[object]]) -> Call[object]:
    needed = [p.name for p in signature(function).parameters.values() if p.default is Parameter.empty]
    names = [n for n in needed if n != "identifiers"]
    return function(**{n: GIVEN.get(n, SOME_ID) for n in names})


def asked_of(routes: list[APIRoute], call: Call[object]) -> APIRoute:
    scope = {"type": "http", "method": call.method, "path": call.path}
    (route,) = [r for r in routes if r.matches(scope)[0] is Match.FULL]
    return route


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_a_route_and_reads_its_answer(routes: list[APIRoute], name: str) -> None:
    call = made(CALLS[name])
    route = asked_of(routes, call)
    model = getattr(call.read, "__self__", None)
    answered = getattr(route.response_model, "__args__", (route.response_model,))
    assert model in answered, f"{name} reads {model}, {route.path} answers {route.response_model}"
    known = {p.alias for p in route.dependant.query_params}
    for dependency in route.dependant.dependencies:
        known |= {p.alias for p in dependency.query_params}
    assert set(call.query) <= known
    taken = None if route.body_field is None else route.body_field.field_info.annotation
    if isinstance(taken, type) and issubclass(taken, BaseModel):
        taken.model_validate_json(call.body or b"")


@pytest.mark.parametrize("name", CALLS)
def test_a_write_says_by_what_key_it_is_done_once(routes: list[APIRoute], name: str) -> None:
    call = made(CALLS[name])
    kept = isinstance(asked_of(routes, call), OnceRoute) and call.method != "GET"
    assert ("Idempotency-Key" in call.headers) == (kept and name != "send_batch"), name


def test_no_route_is_left_out(routes: list[APIRoute]) -> None:
    asked = {(call.method, asked_of(routes, call).path) for call in map(made, CALLS.values())}
    there = {(m, r.path) for r in routes for m in r.methods if r.path.startswith(PROTECTED)}
    assert there - asked == UNASKED


@pytest.mark.parametrize("path", ["../merge-logs", "", "x"])
def test_what_is_no_id_comes_into_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        ask.profile(path)

"""Each call is one of the gateway's routes, and reads what that route answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from inspect import Parameter, getmembers, isfunction, signature
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Match

from client import ask
from client.call import Call
from gateway.app import create_app
from gateway.producer import MemorySender
from gateway.server import make_ports
from pipeline.settings import Settings

SOME_ID = str(UUID(int=7))
GIVEN: dict[str, object] = {
    "event": {},
    "events": [{}],
    "body": b"{}",
    "reason": "asked",
    "as_of": datetime(2026, 1, 1, tzinfo=UTC),
    "until": "2026-12-01",
    "profiles": [SOME_ID],
    "reviews": {SOME_ID: None},
}
CALLS = {
    name: function
    for name, function in getmembers(ask, isfunction)
    if function.__module__ == ask.__name__ and not name.startswith("_") and name != "batch_body"
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


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_a_route_and_reads_its_answer(routes: list[APIRoute], name: str) -> None:
    call = made(CALLS[name])
    scope = {"type": "http", "method": call.method, "path": call.path}
    (route,) = [r for r in routes if r.matches(scope)[0] is Match.FULL]
    model = getattr(call.read, "__self__", None)
    answered = getattr(route.response_model, "__args__", (route.response_model,))
    assert model in answered, f"{name} reads {model}, {route.path} answers {route.response_model}"
    known = {p.alias for p in route.dependant.query_params}
    for dependency in route.dependant.dependencies:
        known |= {p.alias for p in dependency.query_params}
    assert set(call.query) <= known


@pytest.mark.parametrize("path", ["../merge-logs", "", "x"])
def test_what_is_no_id_comes_into_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        ask.profile(path)

"""Every route asks for a scope, and refuses whoever holds all the others: routes come from the OpenAPI document, so
that a new one is covered at once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI

from gateway.app import create_app
from gateway.producer import MemorySender
from gateway.rights import Caller, check_declared, needs
from gateway.server import make_ports
from pipeline.api_keys.scope import MEANINGS, Scope, scopes_of
from pipeline.errors import BadInput, ConfigurationError
from pipeline.settings import Settings

WRONG = {"page": "0", "last": "0", "seconds": "0", "limit": "0"}
"""Parameters that a route with the scope refuses as wrong, before it asks any server."""


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    scope: Scope
    reveals: bool


class Holding:
    """Every key holds the scopes that it names."""

    async def caller(self, authorization: bytes | None) -> Caller | None:
        names = (authorization or b"").decode().split()
        return Caller("k", "k", frozenset(map(Scope, names)))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    home = tmp_path_factory.mktemp("home")
    settings = Settings.model_validate({"home": home, "api_keys": "k", "rate_limit_per_minute": 0})
    return create_app(replace(make_ports(settings, MemorySender()), keys=Holding()))


@pytest_asyncio.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as opened:
        yield opened


def protected(app: FastAPI) -> Iterator[Operation]:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v1/"):
                ((scope,),) = (wanted["apiKey"] for wanted in operation["security"])
                reveals = any(p["name"] == "reveal" for p in operation.get("parameters", ()))
                yield Operation(method, re.sub(r"\{\w+\}", "x", path), Scope(scope), reveals)


async def answered(
    client: httpx.AsyncClient, operation: Operation, scopes: set[Scope], asked: Mapping[str, str] = {}
) -> httpx.Response:
    headers = {"Authorization": " ".join(scopes)}
    params = {**WRONG, **asked}
    return await client.request(operation.method, operation.path, params=params, headers=headers)


@pytest.mark.parametrize("lacking", list(Scope))
async def test_what_a_scope_does_not_grant_is_refused(
    app: FastAPI, client: httpx.AsyncClient, lacking: Scope
) -> None:
    for operation in protected(app):
        answer = await answered(client, operation, set(Scope) - {lacking})
        if operation.scope is lacking:
            assert answer.status_code == 403, operation
            error = answer.json()["error"]
            assert error["code"] == "FORBIDDEN"
            assert f"lacks the scope {lacking};" in error["message"]
            assert error["request_id"] == answer.headers["X-Request-ID"]
        else:
            assert answer.status_code == 400, (operation, answer.text)


async def test_no_scope_holds_another_one(app: FastAPI, client: httpx.AsyncClient) -> None:
    operations = list(protected(app))
    assert {o.scope for o in operations} == set(Scope) - {Scope.READ_PII}
    for operation in operations:
        for held in Scope:
            status = 400 if held is operation.scope else 403
            assert (await answered(client, operation, {held})).status_code == status, (operation, held)


async def test_to_reveal_values_another_scope_is_needed(app: FastAPI, client: httpx.AsyncClient) -> None:
    revealing = [o for o in protected(app) if o.reveals]
    assert len(revealing) >= 2
    for operation in revealing:
        for asked, held, status in (
            ({"reveal": "true"}, {operation.scope}, 403),
            ({"reveal": "true"}, {operation.scope, Scope.READ_PII}, 400),
            ({"reveal": "false"}, {operation.scope}, 400),
        ):
            answer = await answered(client, operation, held, asked)
            assert answer.status_code == status, (operation, held)
            assert status != 403 or "lacks the scope read:pii;" in answer.json()["error"]["message"]


def test_the_document_names_each_routes_scope_and_refusals(app: FastAPI) -> None:
    document = app.openapi()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert all(f"`{scope}`: {meaning}" in scheme["description"] for scope, meaning in MEANINGS.items())
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert ("security" in operation) == path.startswith("/v1/"), path
            if path.startswith("/v1/"):
                assert {"401", "403", "429"} <= set(operation["responses"]), path
                ((scope,),) = (wanted["apiKey"] for wanted in operation["security"])
                assert f"Needs the scope `{scope}`." in operation["description"], path


def test_a_route_without_a_scope_keeps_the_gateway_from_starting() -> None:
    async def nothing() -> None: ...

    router = APIRouter(prefix="/v1")
    router.get("/guarded", dependencies=[needs(Scope.READ)])(nothing)
    check_declared(router)
    router.get("/open")(nothing)
    with pytest.raises(ConfigurationError, match="/v1/open declares no scope"):
        check_declared(router)
    within = APIRouter()
    within.include_router(router)
    with pytest.raises(ConfigurationError, match="nothing tells its scope"):
        check_declared(within)


def test_scopes_are_known_by_their_names() -> None:
    assert scopes_of(["read", "read:pii"]) == {Scope.READ, Scope.READ_PII}
    assert set(MEANINGS) == set(Scope)
    for wrong in (["raed"], ["read+steward"], []):
        with pytest.raises(BadInput, match="ingest, read, read:pii, steward, admin, audit, privacy"):
            scopes_of(cast(list[str], wrong))

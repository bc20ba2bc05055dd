"""Who calls, and whether the caller's key lets them: every route below `/v1/` declares its scope by `needs`.

    router = APIRouter(prefix="/v1/reviews", dependencies=[needs(Scope.STEWARD)])

On a router it holds for all of its routes; `dependencies=` of one route does the same for that one. A route that
declares none keeps the gateway from starting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import APIRouter
from fastapi.openapi.models import HTTPBearer
from fastapi.params import Security as Needed
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from pipeline import metrics
from pipeline.api_keys.scope import MEANINGS, Scope
from pipeline.errors import ConfigurationError, Forbidden

PROTECTED = "/v1/"
"""The start of paths that want a key."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The key a request came with: `name` tells it from all others, `actor` is who acts by it. `per_minute`: its own
    rate limit, None where it has that of the gateway, 0 where it has none."""

    name: str
    actor: str
    scopes: frozenset[Scope]
    per_minute: int | None = None

    def holds(self, scope: Scope) -> bool:
        """Whether the key has a scope: where an answer tells more to those who do."""
        return scope in self.scopes

    def must_hold(self, scope: str) -> None:
        """Raises Forbidden where the key lacks a scope."""
        if scope not in self.scopes:
            metrics.HTTP_REFUSED.labels("scope").inc()
            raise Forbidden(f"this key lacks the scope {scope}; use one that has it, or ask an administrator")


class _Rights(SecurityBase):
    """Lets a request pass whose key holds the scopes that were declared; FastAPI tells them in the OpenAPI document."""

    def __init__(self) -> None:
        told = " ".join(f"`{scope}`: {meaning}" for scope, meaning in MEANINGS.items())
        self.model = HTTPBearer(description=f"An API key, which holds scopes. {told}")
        self.scheme_name = "apiKey"

    async def __call__(self, request: Request, needed: SecurityScopes) -> None:
        caller = caller_of(request)
        for scope in needed.scopes:
            caller.must_hold(scope)


_RIGHTS = _Rights()


def needs(scope: Scope) -> Needed:
    """What a route declares: that its callers' keys must hold this scope, else they are answered 403."""
    return Needed(_RIGHTS, scopes=[scope.value])


def caller_of(request: Request) -> Caller:
    """Whose key a request came with."""
    return cast(Caller, request.state.caller)


def actor_of(request: Request, named: str | None) -> str:
    """Who acts: as the request names them, else the holder of its key."""
    return named or caller_of(request).actor


def scopes_needed(route: APIRoute) -> frozenset[Scope]:
    """What the route, its router included, declares."""
    return frozenset(Scope(s) for d in route.dependencies if isinstance(d, Needed) for s in d.scopes or ())


def check_declared(router: APIRouter) -> None:
    """Raises ConfigurationError where a route below `/v1/` declares no scope, so that none is open by mistake."""
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise ConfigurationError(f"{route} is no route of FastAPI: nothing tells its scope")
        if route.path.startswith(PROTECTED) and not scopes_needed(route):
            raise ConfigurationError(
                f"{route.path} declares no scope: give it dependencies=[needs(Scope...)]"
            )

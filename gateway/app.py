"""The application: routes, edge and errors put together around given ports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from gateway import (
    asyncapi,
    audit,
    changes,
    consent,
    constraints,
    cross_origin,
    customer,
    dead_letters,
    deliveries,
    docs,
    envelope,
    erasing,
    explaining,
    health,
    history,
    ingest,
    live,
    portability,
    profile,
    profiles,
    registry_api,
    relationships,
    reviews,
    reviews_in_bulk,
    searching,
    similar,
    steward_actions,
    stewardship,
    timeline,
    webhooks,
)
from gateway.body import Bounds
from gateway.documentation import IDEMPOTENCY_KEY, without_null
from gateway.edge import Edge
from gateway.guard import Guard
from gateway.ports import Ports
from gateway.problem import Problems
from gateway.rights import check_declared
from gateway.under_way import UnderWay
from pipeline.codes import ErrorCode

ABOUT = (
    "Events in, one trustworthy profile per customer out. Every error has the form "
    '{"error": {"message", "code", "request_id"}}, or of problem details (RFC 9457) for who asks with '
    "Accept: application/problem+json; send X-Request-ID and X-Correlation-ID to find a request again. "
    "Where rates are limited, every answer below /v1/ says how the caller stands: RateLimit-Limit, RateLimit-Remaining "
    "and RateLimit-Reset (seconds). Links say what can be asked next with what an answer holds."
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    ports: Ports = app.state.ports
    await ports.store.open()
    await ports.key_store.open()
    async with AsyncExitStack() as closing:  # each of them, the last one first, whichever fails
        closing.push_async_callback(ports.redis.aclose)
        closing.push_async_callback(ports.key_store.close)
        closing.push_async_callback(ports.store.close)
        closing.callback(ports.readers.close)
        closing.push_async_callback(ports.audit.close)
        closing.callback(ports.explain.close)
        closing.push_async_callback(ports.feed.close)
        closing.push_async_callback(ports.key_uses.close)
        closing.callback(ports.waiters.stop)
        yield


def _openapi(app: FastAPI) -> Mapping[str, object]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
        for methods in document["paths"].values():
            for operation in methods.values():
                described = operation["responses"].get("422", {}).get("description")
                if described == "Validation Error":  # FastAPI's own: wrong parameters are 400 in the envelope
                    del operation["responses"]["422"]
                elif described == ErrorCode.IDEMPOTENCY_KEY_REUSED:
                    operation["parameters"] = [*operation.get("parameters", ()), IDEMPOTENCY_KEY]
                for parameter in operation.get("parameters", ()):
                    parameter["schema"] = without_null(parameter["schema"])
                for wanted in operation.get("security", ()):
                    operation["description"] += f"\n\nNeeds the scope `{', '.join(wanted['apiKey'])}`."
        app.openapi_schema = document
    return app.openapi_schema


def _name(route: APIRoute) -> str:
    return route.name


def create_app(ports: Ports) -> FastAPI:
    """The gateway around its ports; it opens and closes the store and Redis, the sender is its maker's to close."""
    app = FastAPI(
        title="Retail Brain",
        version="0.1.0",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_name,
    )
    app.state.ports = ports
    app.openapi = partial(_openapi, app)  # type: ignore[method-assign, assignment]
    for room in (
        ingest,
        profile,
        profiles,
        customer,
        timeline,
        history,
        consent,
        relationships,
        similar,
        searching,
        explaining,
        live,
        changes,
        webhooks,
        deliveries,
        stewardship,
        reviews,
        reviews_in_bulk,
        constraints,
        steward_actions,
        erasing,
        portability,
        dead_letters,
        audit,
        health,
        registry_api,
        docs,
        asyncapi,
    ):
        check_declared(room.router)
        app.include_router(room.router)
    envelope.install(app)
    given = ports.settings
    bounds = Bounds(given.max_body_bytes, given.body_timeout_ms / 1_000, UnderWay(given.max_under_way_bytes))
    # the last one is the outermost: a browser that asks first has no key, and reads refusals too
    app.add_middleware(Guard, keys=ports.keys, limiter=ports.limiter, quotas=ports.quotas, bounds=bounds)
    cross_origin.allow(app, cross_origin.origins(given.cors_origins))
    app.add_middleware(Edge, hsts_max_age_s=given.hsts_max_age_s)
    app.add_middleware(Problems)
    return app

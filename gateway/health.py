"""Is the process alive, can it work, and what has it measured."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from gateway.models import Dependency, DisabledWebhook, PausedStage, Readiness
from gateway.ports import Ports, ports_of
from pipeline.errors import CacheUnavailable, RetryLater

router = APIRouter(tags=["operations"])

_CHECK_S = 2.0


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """200 while the process runs."""
    return {"status": "ok"}


async def _ping(ports: Ports) -> None:
    try:
        await ports.redis.ping()
    except (RedisError, OSError) as exc:
        raise CacheUnavailable(type(exc).__name__) from exc


async def _check(probe: Awaitable[object], required: bool) -> Dependency:
    try:
        async with asyncio.timeout(_CHECK_S):
            await probe
    except TimeoutError:
        return Dependency(available=False, required=required, detail=f"no answer in {_CHECK_S:.0f} s")
    except RetryLater as exc:
        return Dependency(available=False, required=required, detail=type(exc).__name__)
    return Dependency(available=True, required=required)


@router.get("/readyz", responses={503: {"model": Readiness}}, summary="Ready to work")
async def readyz(request: Request, response: Response) -> Readiness:
    """Asks each server. Without Redis the gateway works on, slower; without Kafka or Postgres it answers 503. A paused
    stage is named, with 200: to send events elsewhere would not help, and those that come are kept until it goes on."""
    ports = ports_of(request)
    paused: list[PausedStage] = []
    disabled: list[DisabledWebhook] = []

    async def look() -> None:
        paused.extend(PausedStage.model_validate(row) for row in await ports.store.rows("open_pauses"))
        rows = await ports.store.rows("disabled_webhooks")
        disabled.extend(DisabledWebhook.model_validate(row) for row in rows)

    kafka, postgres, redis = await asyncio.gather(
        _check(asyncio.to_thread(ports.sender.check), required=True),
        _check(look(), required=True),
        _check(_ping(ports), required=False),
    )
    status = "ready" if redis.available and not paused and not disabled else "degraded"
    if not (kafka.available and postgres.available):
        status, response.status_code = "unavailable", 503
    dependencies = {"kafka": kafka, "postgres": postgres, "redis": redis}
    return Readiness(status=status, dependencies=dependencies, paused=paused, disabled_webhooks=disabled)


@router.get("/metrics", response_class=Response, summary="Prometheus metrics")
async def get_metrics() -> Response:
    """In the text format of Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

"""The documentation pages: they show openapi.json and asyncapi.json, and load nothing from any other site."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

router = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@lru_cache
def _file(name: str) -> bytes:
    return resources.files("gateway").joinpath("pages", name).read_bytes()


def _page(name: str) -> Response:
    return Response(_file(name), media_type="text/html", headers={"Content-Security-Policy": _POLICY})


@router.get("/docs")
async def get_docs() -> Response:
    """The API over HTTP."""
    return _page("docs.html")


@router.get("/docs/events")
async def get_events() -> Response:
    """The topics."""
    return _page("events.html")


@router.get("/docs/{name}.js")
async def get_script(name: Literal["docs", "events"]) -> Response:
    """A page's script."""
    return Response(_file(f"{name}.js"), media_type="text/javascript")


@router.get("/docs/docs.css")
async def get_style() -> Response:
    """The pages' style."""
    return Response(_file("docs.css"), media_type="text/css")

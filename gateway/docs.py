"""The documentation page: shows openapi.json, and loads nothing from any other site."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from fastapi import APIRouter
from starlette.responses import Response

router = APIRouter(include_in_schema=False)

_POLICY = "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'"


@lru_cache
def _file(name: str) -> bytes:
    return resources.files("gateway").joinpath("pages", name).read_bytes()


@router.get("/docs")
async def get_docs() -> Response:
    """The page."""
    return Response(_file("docs.html"), media_type="text/html", headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/docs.js")
async def get_script() -> Response:
    """Its script."""
    return Response(_file("docs.js"), media_type="text/javascript")


@router.get("/docs/docs.css")
async def get_style() -> Response:
    """Its style."""
    return Response(_file("docs.css"), media_type="text/css")

"""CORS: which pages of other origins may call the API from browsers. None, unless the setting names them.

Keys travel in a header, never in cookies: no credentials are allowed.
"""

from __future__ import annotations

import re

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from pipeline.errors import ConfigurationError

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SENT = (
    "Authorization",
    "Cache-Control",
    "Content-Encoding",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "X-Correlation-ID",
    "X-Request-ID",
)
_SEEN = (
    "ETag",
    "Idempotent-Replayed",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Limit",
    "RateLimit-Policy",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Correlation-ID",
    "X-Request-ID",
)


def origins(text: str) -> tuple[str, ...]:
    """The origins of a comma-separated list. Raises ConfigurationError for one that no browser would send."""
    found = tuple(one.strip() for one in text.split(",") if one.strip())
    for one in found:
        if not _ORIGIN.fullmatch(one):
            raise ConfigurationError(
                f"RB_CORS_ORIGINS: {one} is no origin; write scheme, host in small letters and port, without a path, "
                "such as https://shop.example.com"
            )
    return found


def allow(app: FastAPI, named: tuple[str, ...]) -> None:
    """Answer browsers that ask for these origins."""
    if named:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=named,
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_SEEN,
        )

"""Secrets and signatures as the Standard Webhooks specification has them (standardwebhooks.com, specification 1.0)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification asks for 24 to 64."""

Headers = dict[str, str]


def new_secret() -> bytes:
    """A random secret."""
    return secrets.token_bytes(SECRET_BYTES)


def told(secret: bytes) -> str:
    """A secret as its receiver gets it: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secret).decode()


def signed(message_id: str, at: int, body: bytes, keys: Sequence[bytes]) -> Headers:
    """The headers of a message sent `at` seconds of Unix time: its id, that time, and `v1,` with the base64 of
    HMAC-SHA256 over `id.timestamp.body` for each secret that is valid now, behind spaces."""
    content = b"%s.%d.%s" % (message_id.encode(), at, body)
    signatures = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }

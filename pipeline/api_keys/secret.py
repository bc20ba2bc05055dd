"""How API keys look: `rb_<id>_<secret>`, in hexadecimal: 64 bits of id, by which a key is found, and 256 random bits.

The prefix and the length let scanners for leaked secrets know one. What is stored is the SHA-256 of the whole key:
there is nothing to guess in 256 random bits, so that no slow hash has to protect them.
"""

from __future__ import annotations

import re
from hashlib import sha256

ID_BYTES, SECRET_BYTES = 8, 32
_FORM = re.compile(rb"rb_([0-9a-f]{16})_[0-9a-f]{64}")
_PREFIX = b"rb_"


def written(key_id: str, secret: bytes) -> str:
    """A key as its holder sends it."""
    return f"rb_{key_id}_{secret.hex()}"


def hash_of(key: bytes) -> bytes:
    """What is kept of a key."""
    return sha256(key).digest()


def id_in(key: bytes) -> str | None:
    """The id of a key of this form, or None."""
    match = _FORM.fullmatch(key)
    return match[1].decode() if match else None


def looks_stored(key: str) -> bool:
    """Whether a text begins as only keys of the database may."""
    return key.encode().startswith(_PREFIX)

"""Authenticated encryption of single values, bound to their place: AES-256-GCM (NIST SP 800-38D)."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.errors import SealBroken

NONCE_BYTES = 12
KEY_BYTES = 32


def seal(key: bytes, plaintext: bytes, context: bytes) -> bytes:
    """`nonce | ciphertext | tag` under a 32-byte key; 28 bytes longer than the plaintext.

    `context` (`table:column:` and the row's id) is authenticated, not stored: a moved value does not open.
    """
    return seal_with(AESGCM(key), plaintext, context)


def seal_with(cipher: AESGCM, plaintext: bytes, context: bytes) -> bytes:
    """`seal` by a cipher that is already set up, for several values under one key."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plaintext, context)


def open_sealed(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """The plaintext of `seal`. Raises SealBroken on another key, another context, or a changed byte."""
    return open_with(AESGCM(key), sealed, context)


def open_with(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    """`open_sealed` by a cipher that is already set up."""
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as exc:
        raise SealBroken("a sealed value does not open under this key at this place") from exc

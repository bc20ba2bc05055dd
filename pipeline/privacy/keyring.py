"""The versioned key ring: hash secrets for matching, and the wrapping of data keys (envelope encryption).

Each version has one 32-byte master secret. Everything used is derived from it by HKDF-SHA256 (RFC 5869) under
a label of its own, so that no two uses share a key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pipeline.errors import ConfigurationError
from pipeline.identity.ids import Id
from pipeline.privacy.keyfile import KeyFile, development_file, read_key_file
from pipeline.privacy.seal import KEY_BYTES, NONCE_BYTES, open_with
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class HashKeys:
    """The HMAC-SHA256 secrets of one version: for identifier values, record signatures and match keys."""

    version: int
    value: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    match: bytes = field(repr=False)


class DataKey(NamedTuple):
    """An AES-256 key in the clear, and its wrapped form to be stored with the wrapping version."""

    plain: bytes
    wrapped: bytes
    version: int

    def __repr__(self) -> str:
        """Without the key in the clear."""
        return f"DataKey(wrapped={self.wrapped!r}, version={self.version!r})"


@dataclass(frozen=True, slots=True)
class Signer:
    """An Ed25519 key (RFC 8032) of one version and one use."""

    version: int
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """A signature, 64 bytes."""
        return self._key.sign(data)

    @property
    def public_key(self) -> bytes:
        """What it is checked with, 32 bytes: anybody may know it."""
        return self._key.public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All versions of the keys. New values are made under `current`; older ones stay readable.

    Nonces are random, so a version may wrap at most 2^32 data keys (NIST SP 800-38D, 8.3): rotate before.
    """

    current: HashKeys
    _hashes: Mapping[int, HashKeys] = field(repr=False)
    _wrappers: Mapping[int, AESGCM] = field(repr=False)
    _audit: Mapping[int, bytes] = field(repr=False)
    _receipts: Mapping[int, bytes] = field(repr=False)

    @property
    def audit_signer(self) -> Signer:
        """What signs the audit log now."""
        return _signer(self._audit, self.current.version)

    def audit_keys(self) -> dict[int, bytes]:
        """The public keys of the audit log by version."""
        return {version: _signer(self._audit, version).public_key for version in self._audit}

    @property
    def receipt_signer(self) -> Signer:
        """What signs receipts of erasures now."""
        return _signer(self._receipts, self.current.version)

    def receipt_keys(self) -> dict[int, bytes]:
        """The public keys of receipts by version."""
        return {version: _signer(self._receipts, version).public_key for version in self._receipts}

    def hash_keys(self, version: int) -> HashKeys:
        """The hash secrets of a version. Raises ConfigurationError where the ring does not hold it."""
        try:
            return self._hashes[version]
        except KeyError:
            raise _missing(version) from None

    def new_data_key(self, owner_id: Id) -> DataKey:
        """A fresh random data key, wrapped for its owner under the current version."""
        drawn = os.urandom(KEY_BYTES + NONCE_BYTES)  # one call into the kernel for both
        return self._wrapped(drawn[:KEY_BYTES], owner_id, drawn[KEY_BYTES:])

    def wrap(self, plain: bytes, owner_id: Id) -> DataKey:
        """Wrap a 32-byte data key under the current version; it unwraps for this owner only."""
        return self._wrapped(plain, owner_id, os.urandom(NONCE_BYTES))

    def _wrapped(self, plain: bytes, owner_id: Id, nonce: bytes) -> DataKey:
        version = self.current.version
        return DataKey(plain, nonce + self._wrappers[version].encrypt(nonce, plain, owner_id), version)

    def unwrap(self, wrapped: bytes, version: int, owner_id: Id) -> bytes:
        """The data key in the clear. Raises SealBroken (another owner, changed bytes), ConfigurationError."""
        try:
            wrapper = self._wrappers[version]
        except KeyError:
            raise _missing(version) from None
        return open_with(wrapper, wrapped, owner_id)


def _signer(seeds: Mapping[int, bytes], version: int) -> Signer:
    return Signer(version, Ed25519PrivateKey.from_private_bytes(seeds[version]))


def _missing(version: int) -> ConfigurationError:
    return ConfigurationError(f"the key ring holds no version {version}: restore it, data rests on it")


def _derive(master: bytes, label: str) -> bytes:
    info = f"retail-brain/1/{label}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(master)


def _hash_keys(version: int, master: bytes) -> HashKeys:
    return HashKeys(
        version,
        value=_derive(master, "value-hash"),
        signature=_derive(master, "record-signature"),
        match=_derive(master, "match-key"),
    )


def key_ring(file: KeyFile) -> KeyRing:
    """The ring of the masters in a key file."""
    hashes = {version: _hash_keys(version, master) for version, master in file.keys.items()}
    wrappers = {version: AESGCM(_derive(master, "data-key-wrap")) for version, master in file.keys.items()}
    audit, receipts = (
        {version: _derive(master, label) for version, master in file.keys.items()}
        for label in ("audit-signature", "receipt-signature")
    )
    return KeyRing(hashes[file.current], hashes, wrappers, audit, receipts)


def load_key_ring(settings: Settings) -> KeyRing:
    """The ring of `settings.key_ring_file`; unset, a development ring in `settings.home`, made when missing.

    Raises ConfigurationError: the file is missing or malformed, or a development ring was met in production.
    """
    path = settings.key_ring_file
    production = settings.environment == "production"
    if path is None and production:
        raise ConfigurationError(
            "production needs keys of its own: point RB_KEY_RING_FILE to a key ring file"
        )
    file = read_key_file(path) if path is not None else development_file(settings.home / "keys.json")
    if file.development and production:
        raise ConfigurationError(f"{path} is a development key ring: make one for production")
    return key_ring(file)

"""The versioned key ring: hash secrets for matching, and the wrapping of data keys (envelope encryption).

Each version has one 32-byte master secret. Everything used is derived from it by HKDF-SHA256 (RFC 5869) under
a label of its own, so that no two uses share a key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pipeline.errors import ConfigurationError, KeyServiceUnavailable
from pipeline.identity.ids import Id
from pipeline.log import get_logger
from pipeline.privacy.keyfile import KeyFile, Retired, development_file, parsed
from pipeline.privacy.ring_file import RingFile
from pipeline.privacy.seal import KEY_BYTES, NONCE_BYTES, open_with
from pipeline.privacy.sealer import sealer_of
from pipeline.settings import Settings

_LOOK_S = 1.0
"""For no longer than this a process goes on with a ring that was changed."""


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


Source = Callable[[], KeyFile | None]
"""The ring's document where it changed since it was read last, else None. Raises ConfigurationError."""


class _Held(NamedTuple):
    """Everything derived from one reading of the document."""

    file: KeyFile
    hashes: Mapping[int, HashKeys]
    wrappers: Mapping[int, AESGCM]
    audit: Mapping[int, bytes]
    receipts: Mapping[int, bytes]

    @classmethod
    def of(cls, file: KeyFile) -> _Held:
        """Derived once: HKDF takes longer than what most of these are used for."""
        keys = file.keys.items()
        return cls(
            file,
            {version: _hash_keys(version, master) for version, master in keys},
            {version: AESGCM(_derive(master, "data-key-wrap")) for version, master in keys},
            {version: _derive(master, "audit-signature") for version, master in keys},
            {version: _derive(master, "receipt-signature") for version, master in keys},
        )


class KeyRing:
    """All versions of the keys. New data keys are wrapped under the current one; older ones stay readable.

    A process need not be started anew for another version: the document is read again once it changed, which is looked
    for every second, and at once where a version is asked for that is not held.

    Nonces are random, so a version may wrap at most 2^32 data keys (NIST SP 800-38D, 8.3): rotate before.
    """

    def __init__(self, file: KeyFile, source: Source | None = None) -> None:
        self._held = _Held.of(file)
        self._source = source
        self._look_at = monotonic() + _LOOK_S

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"KeyRing(versions={sorted(self._held.hashes)})"

    def refresh(self) -> None:
        """Read the document again if it changed. One that cannot be read is told of, and what is held stays."""
        self._look_at = monotonic() + _LOOK_S
        if self._source is None:
            return
        try:
            file = self._source()
        except (ConfigurationError, KeyServiceUnavailable) as exc:
            get_logger().error("the key ring cannot be read again", error=str(exc))
            return
        if file is not None and file != self._held.file:
            self._held = _Held.of(file)
            get_logger().info("the key ring was read again", current=file.current, versions=sorted(file.keys))

    def _now(self) -> _Held:
        if self._source is not None and monotonic() >= self._look_at:
            self.refresh()
        return self._held

    def _with(self, version: int) -> _Held:
        """Raises ConfigurationError where the version is not held, and not in the document by now."""
        if version not in self._held.hashes:
            self.refresh()
        if version not in self._held.hashes:
            raise ConfigurationError(
                f"the key ring holds no version {version}: restore it, or give this process the ring of the others"
            )
        return self._held

    @property
    def file(self) -> KeyFile:
        """The document as it was read last."""
        return self._now().file

    @property
    def current(self) -> HashKeys:
        """The version that new data keys are wrapped under and that signs; normalize hashes by it."""
        held = self._now()
        return held.hashes[held.file.current]

    @property
    def versions(self) -> tuple[int, ...]:
        """All that are held, as the document is now."""
        self.refresh()
        return tuple(sorted(self._held.hashes))

    @property
    def naming(self) -> bytes:
        """What records are named with, whatever version is the current one: a secret for HMAC-SHA256.

        Ids stand in what is never changed; and whatever has to stay the same over a rotation may rest on it.
        """
        held = self._held
        version = held.file.named_by
        if version in held.hashes:
            return held.hashes[version].signature
        kept = held.file.retired[version].naming
        assert kept is not None
        return kept

    @property
    def audit_signer(self) -> Signer:
        """What signs the audit log now."""
        held = self._now()
        return _signer(held.audit, held.file.current)

    def audit_keys(self) -> dict[int, bytes]:
        """The public keys of the audit log by version, those of retired ones included."""
        held = self._now()
        kept = {version: one.audit for version, one in held.file.retired.items()}
        return kept | {version: _signer(held.audit, version).public_key for version in held.audit}

    @property
    def receipt_signer(self) -> Signer:
        """What signs receipts of erasures now."""
        held = self._now()
        return _signer(held.receipts, held.file.current)

    def receipt_keys(self) -> dict[int, bytes]:
        """The public keys of receipts by version, those of retired ones included."""
        held = self._now()
        kept = {version: one.receipts for version, one in held.file.retired.items()}
        return kept | {version: _signer(held.receipts, version).public_key for version in held.receipts}

    def hash_keys(self, version: int) -> HashKeys:
        """The hash secrets of a version. Raises ConfigurationError where the ring does not hold it."""
        return self._with(version).hashes[version]

    def without(self, version: int) -> KeyFile:
        """The document with that version retired: its secrets are gone from it, but for what others rest on."""
        held = self._with(version)
        naming = held.hashes[version].signature if held.file.named_by == version else None
        kept = Retired(self.audit_keys()[version], self.receipt_keys()[version], naming)
        keys = {v: key for v, key in held.file.keys.items() if v != version}
        return replace(held.file, keys=keys, retired={**held.file.retired, version: kept})

    def new_data_key(self, owner_id: Id) -> DataKey:
        """A fresh random data key, wrapped for its owner under the current version."""
        drawn = os.urandom(KEY_BYTES + NONCE_BYTES)  # one call into the kernel for both
        return self._wrapped(drawn[:KEY_BYTES], owner_id, drawn[KEY_BYTES:])

    def wrap(self, plain: bytes, owner_id: Id) -> DataKey:
        """Wrap a 32-byte data key under the current version; it unwraps for this owner only."""
        return self._wrapped(plain, owner_id, os.urandom(NONCE_BYTES))

    def _wrapped(self, plain: bytes, owner_id: Id, nonce: bytes) -> DataKey:
        held = self._now()
        version = held.file.current
        return DataKey(plain, nonce + held.wrappers[version].encrypt(nonce, plain, owner_id), version)

    def unwrap(self, wrapped: bytes, version: int, owner_id: Id) -> bytes:
        """The data key in the clear. Raises SealBroken (another owner, changed bytes), ConfigurationError."""
        return open_with(self._with(version).wrappers[version], wrapped, owner_id)


def _signer(seeds: Mapping[int, bytes], version: int) -> Signer:
    return Signer(version, Ed25519PrivateKey.from_private_bytes(seeds[version]))


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


def key_ring(file: KeyFile, source: Source | None = None) -> KeyRing:
    """The ring of the masters in a document, which is read again from its source."""
    return KeyRing(file, source)


class _Watched:
    """The source of a ring that is a file."""

    def __init__(self, file: RingFile) -> None:
        self._file = file
        self._seen = self._mark()

    def __call__(self) -> KeyFile | None:
        mark = self._mark()
        if mark == self._seen:
            return None
        file = self._file.read()
        self._seen = mark
        return file

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


def ring_file(settings: Settings) -> RingFile | None:
    """The file that the ring is kept in; None where it stands in the environment."""
    if settings.key_ring_file is not None:
        return RingFile(settings.key_ring_file, sealer_of(settings))
    return None if settings.key_ring is not None else RingFile(settings.home / "keys.json")


def load_key_ring(settings: Settings) -> KeyRing:
    """The ring of `settings.key_ring_file`, else of `settings.key_ring`; both unset, a development ring in
    `settings.home`, made when missing.

    Raises ConfigurationError (the file is missing or malformed, or a development ring was met in production),
    KeyServiceUnavailable (of a ring that is sealed).
    """
    kept = ring_file(settings)
    asked = settings.key_ring_file is not None or kept is None
    production = settings.environment == "production"
    if production and not asked:
        raise ConfigurationError(
            "production needs keys of its own: point RB_KEY_RING_FILE to a key ring file"
        )
    if kept is None:
        assert settings.key_ring is not None
        file, source = parsed(settings.key_ring.get_secret_value(), "of RB_KEY_RING"), None
    else:
        # what was there before it is read: a change between the two is read again, and none is missed
        source = _Watched(kept) if kept.path.exists() else None
        file = kept.read() if asked else development_file(kept.path)
        source = source or _Watched(kept)
    if file.development and production:
        raise ConfigurationError(
            f"{kept.path if kept else 'RB_KEY_RING'} is a development key ring: make one for production"
        )
    return key_ring(file, source)

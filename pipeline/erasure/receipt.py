"""The receipt of an erasure: what was done where, and when retention ends the rest. Signed by Ed25519 (RFC 8032).

A document of JSON: `receipt`, and beside it `key_version`, `public_key` and `signature` (base64) over the receipt's own
bytes, which are its JSON with sorted names and without spaces. It names nobody but profiles, by ids that nothing leads
to any more, so that a restored backup can be made to forget them again.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import cast
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from pipeline.errors import BadInput
from pipeline.privacy.keyring import KeyRing
from schemas.topics import topics

_MEND = "give the file that `retail-brain erase person` or `erase log` wrote, unchanged"


class Remainder(BaseModel):
    """What is still readable somewhere, and until when; `until` None: as long as `what` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: str
    what: str
    until: AwareDatetime | None


class Receipt(BaseModel):
    """What an erasure did. `done` counts what was destroyed or deleted, by kind. `events_digest` is that of the ids of
    the events that went, which the log of erasures names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    erasure_id: UUID
    erased_at: AwareDatetime
    actor: str
    reason: str
    profiles: tuple[UUID, ...]
    events_digest: str
    done: Mapping[str, int]
    remains: tuple[Remainder, ...]

    def canonical(self) -> bytes:
        """What is signed."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Checked:
    """A receipt whose signature holds, and whose key it was."""

    receipt: Receipt
    key_version: int


def signed(receipt: Receipt, ring: KeyRing) -> bytes:
    """The document, signed by the ring's current key."""
    signer = ring.receipt_signer
    content = receipt.canonical()
    document = {
        "receipt": orjson.Fragment(content),
        "key_version": signer.version,
        "public_key": base64.b64encode(signer.public_key).decode(),
        "signature": base64.b64encode(signer.sign(content)).decode(),
    }
    return orjson.dumps(document)


def checked(document: bytes, keys: Mapping[int, bytes]) -> Checked:
    """The receipt of a document that one of these public keys (by version) signed. Raises BadInput."""
    try:
        read = orjson.loads(document)
        version, signature = int(read["key_version"]), base64.b64decode(read["signature"], validate=True)
        receipt = Receipt.model_validate_json(orjson.dumps(read["receipt"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, ValidationError) as exc:
        raise BadInput("receipt", f"it is no receipt of an erasure ({type(exc).__name__}); {_MEND}") from None
    key = keys.get(version)
    if key is None:
        raise BadInput(
            "key_version", f"version {version} is not known here; give the public key that it was signed with"
        )
    try:
        if base64.b64decode(read["public_key"], validate=True) != key:
            raise BadInput("public_key", f"it is not that of version {version}; {_MEND}")
        Ed25519PublicKey.from_public_bytes(key).verify(signature, receipt.canonical())
    except (InvalidSignature, ValueError):
        raise BadInput("signature", f"it was not signed so, or was changed since; {_MEND}") from None
    return Checked(receipt, version)


def digest_of(events: Iterable[str]) -> str:
    """SHA-256 of ids of events in their order, each on a line, in hex."""
    return sha256("\n".join(sorted(events)).encode()).hexdigest()


def remains(last_accepted: datetime | None, erased_at: datetime) -> tuple[Remainder, ...]:
    """What lies in topics until their retention ends: plaintext in events.raw alone."""
    found = []
    for topic in topics().values():
        hours = topic.retention_hours
        if topic.name == "events.raw":
            if last_accepted is not None:
                found.append(
                    _until(topic.name, "the events as they were sent", last_accepted, cast(int, hours))
                )
        elif hours is not None:
            found.append(_until(topic.name, _LEFT.get(topic.name, "ids and hashes"), erased_at, hours))
        else:
            what = "older states (ids and hashes), until the broker compacts them away behind the tombstone"
            found.append(Remainder(where=topic.name, what=what, until=None))
    what = "states of the profile as they were sent (ids and hashes), until RB_WEBHOOK_KEEP_DEAD_HOURS have passed"
    found.append(Remainder(where="webhook deliveries", what=what, until=None))
    return tuple(found)


_LEFT = {
    "events.normalized": "hashes, and ciphertext whose key was destroyed",
    "events.dead-letter": "ciphertext whose key was destroyed",
    "events.linked": "ids, and what was bought",
}


def _until(where: str, what: str, since: datetime, hours: int) -> Remainder:
    return Remainder(where=where, what=what, until=since + timedelta(hours=hours))

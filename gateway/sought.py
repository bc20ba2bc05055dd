"""What a search seeks, in the canonical form it is looked up by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.ports import Ports
from gateway.values import explained
from pipeline.codes import ReasonCode
from pipeline.field_errors import FieldError, InvalidEvent
from pipeline.identity.hashing import value_hash
from pipeline.identity.model import CanonicalRecord, Identifier
from pipeline.identity.normalize import canonicalize
from pipeline.privacy.keyring import KeyRing

_NOTES = (ReasonCode.UNUSUAL_CHARACTERS,)
"""What is left out of a value, and the rest counts."""


def canonical(
    ports: Ports,
    field: str,
    identifiers: Mapping[str, Sequence[str]],
    traits: Mapping[str, str],
    mend: str = "send another value, or leave it out",
) -> CanonicalRecord:
    """The record of these values. Raises InvalidEvent for the first that cannot be sought: in `field`, where that is
    named, and with this `mend`."""
    today, region = ports.clock().date(), ports.settings.default_region
    record = canonicalize(identifiers, traits, ports.policy, region=region, today=today)
    for issue in record.issues:
        if issue.reason not in _NOTES:
            name = issue.field.rpartition(".")[2]
            raise invalid(f"{field}.{name}" if field else name, explained(issue.reason), mend)
    return record


def hashes_sought(ring: KeyRing, identifiers: Sequence[Identifier]) -> dict[str, list[object]]:
    """Identifiers as the queries look for them, by every version of the keys: whichever records are found by, and
    whatever is switched meanwhile, none is missed. `wants` says which hashes are of one identifier."""
    sought = [
        (want, i.type.value, value_hash(ring.hash_keys(version).value, i))
        for version in ring.versions
        for want, i in enumerate(identifiers)
    ]
    return {
        "wants": [want for want, *_ in sought],
        "types": [kind for _, kind, _ in sought],
        "hashes": [hashed for *_, hashed in sought],
    }


def invalid(field: str, problem: str, mend: str) -> InvalidEvent:
    """The error of one wrong field."""
    return InvalidEvent([FieldError(field, problem, mend, ReasonCode.SCHEMA_VIOLATION, field)])

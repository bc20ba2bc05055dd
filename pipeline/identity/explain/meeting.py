"""Whether blocking brings two records together at all: what shares no match key is never compared."""

from __future__ import annotations

from pipeline.identity.blocking import match_keys
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.explain.explanation import Meeting
from pipeline.identity.model import CanonicalRecord, IdentityRecord, MatchKey


def meeting(left: IdentityRecord, right: IdentityRecord, secret: bytes) -> Meeting:
    """The kinds of match keys two records share under a secret, and whether these make them candidates."""
    mine, other = _keys(left, secret), _keys(right, secret)
    shared = mine & other
    both = kinds_of(mine) & kinds_of(other)
    return Meeting(
        tuple(sorted({key.kind.name.lower() for key in shared})), worth_comparing(kinds_of(shared), both)
    )


def _keys(record: IdentityRecord, secret: bytes) -> frozenset[MatchKey]:
    return frozenset(match_keys(CanonicalRecord(record.identifiers, record.traits), secret))

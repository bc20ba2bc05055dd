"""Whether blocking brings two records together at all: what shares no match key is never compared."""

from __future__ import annotations

from collections.abc import Container, Iterable

from pipeline.identity.blocking import match_keys
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.explain.explanation import Meeting
from pipeline.identity.model import CanonicalRecord, IdentityRecord, MatchKey


def shared_keys(left: IdentityRecord, right: IdentityRecord, secret: bytes) -> frozenset[MatchKey]:
    """The match keys two records have in common under a secret."""
    return _keys(left, secret) & _keys(right, secret)


def meeting(
    left: IdentityRecord, right: IdentityRecord, secret: bytes, overfull: Container[int] = ()
) -> Meeting:
    """The kinds of match keys two records share, and whether those that are not over-full make them candidates."""
    mine, other = _keys(left, secret), _keys(right, secret)
    shared = mine & other
    usable = {key for key in shared if key.key not in overfull}
    both = kinds_of(mine) & kinds_of(other)
    return Meeting(_kinds(shared), _kinds(shared - usable), worth_comparing(kinds_of(usable), both))


def _kinds(keys: Iterable[MatchKey]) -> tuple[str, ...]:
    return tuple(sorted({key.kind.name.lower() for key in keys}))


def _keys(record: IdentityRecord, secret: bytes) -> frozenset[MatchKey]:
    return frozenset(match_keys(CanonicalRecord(record.identifiers, record.traits), secret))

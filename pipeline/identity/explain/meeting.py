"""Whether blocking brings two records together at all: what shares no match key is never compared."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType

from pipeline.identity.blocking import keys_of
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.explain.explanation import Meeting
from pipeline.identity.model import IdentityRecord, MatchKey, MatchKeyKind
from pipeline.identity.twins import Circle


def shared_keys(left: IdentityRecord, right: IdentityRecord, secret: bytes) -> frozenset[MatchKey]:
    """The match keys two records have in common under a secret."""
    return frozenset(keys_of(left, secret)).intersection(keys_of(right, secret))


def meeting(
    left: IdentityRecord,
    right: IdentityRecord,
    secret: bytes,
    overfull: Container[int] = (),
    circles: Mapping[int, Circle] = MappingProxyType({}),
) -> Meeting:
    """The kinds of match keys two records share, and whether those that are not over-full make them candidates.

    `circles` are those of identifiers, by their keys; where there is none everybody meets everybody.
    """
    mine, other = frozenset(keys_of(left, secret)), frozenset(keys_of(right, secret))
    shared = mine & other
    usable = {key for key in shared if key.key not in overfull}
    one, two = left.record_id, right.record_id
    unmet = {key for key in usable if key.key in circles and not circles[key.key].meets(one, two)}
    apart = any(circles[key.key].speaks for key in unmet) and all(
        key.kind is not MatchKeyKind.IDENTIFIER for key in usable - unmet
    )
    both = kinds_of(mine) & kinds_of(other)
    candidates = not apart and worth_comparing(kinds_of(usable - unmet), both)
    return Meeting(_kinds(shared), _kinds(shared - usable), candidates, apart)


def _kinds(keys: Iterable[MatchKey]) -> tuple[str, ...]:
    return tuple(sorted({key.kind.name.lower() for key in keys}))

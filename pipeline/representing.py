"""Who represents identifiers, as the store knows their holders."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.holders import unpack
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.identity.representatives import representatives
from pipeline.ports import IdentityStore


def representing(keys: Collection[int], store: IdentityStore, policy: Policy) -> dict[int, frozenset[Id]]:
    """For each match key of an identifier the records that represent it. Keys that nobody holds are missing."""
    if not keys:
        return {}
    return {
        key: representatives(
            ((holder.record, holder.person) for holder in unpack(held.holders)), policy.representatives
        )
        for key, held in store.holders(keys).items()
    }

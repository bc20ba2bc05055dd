"""Data keys of owners: made once, kept wrapped and apart from what they open."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.identity.ids import Id
from pipeline.privacy.keyring import KeyRing
from pipeline.store.database import Transaction


def own_data_keys(tx: Transaction, ring: KeyRing, owners: Sequence[Id]) -> list[bytes]:
    """A data key in the clear for each distinct owner, in their order.

    New ones are stored wrapped; an owner that had one (its message came again) keeps it, so that what was sealed
    under it before still opens.
    """
    fresh = [ring.new_data_key(owner) for owner in owners]
    stored = tx.run("add_data_keys", (list(owners), [k.wrapped for k in fresh], [k.version for k in fresh]))
    if stored == len(owners):
        return [key.plain for key in fresh]
    found = {o: ring.unwrap(wrapped, v, o) for o, wrapped, v in tx.rows("data_keys", (list(owners),))}
    return [found[owner] for owner in owners]

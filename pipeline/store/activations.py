"""Activations of replays, and what else is switched for everybody at once: what they replace nobody else decides
meanwhile, and who decides afterwards knows of them."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.store.database import Transaction
from pipeline.store.key_versions import StoredVersions


class Standing(NamedTuple):
    """The number of the last activation, and the versions of the keys: neither changes while the lock is held."""

    activation: int
    keys: StoredVersions


def keep_out(tx: Transaction) -> Standing:
    """Nothing is switched until this transaction ends; waits for what is.

    Whoever decides takes it before anything else that a decision rests on: all it reads is from before a switch or all
    from after it.
    """
    tx.run("keep_activation_out")
    row = tx.row("standing")  # a query of its own: it sees what was committed while the lock was waited for
    assert row is not None
    return Standing(row[0], StoredVersions.of(*row[1:]))


def stand_alone(tx: Transaction) -> None:
    """Nobody decides until this transaction ends; waits for those who do."""
    tx.run("activate_alone")

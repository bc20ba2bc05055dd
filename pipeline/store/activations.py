"""Activations of replays: what they replace nobody else decides meanwhile, and who decides afterwards knows of them."""

from __future__ import annotations

from pipeline.store.database import Transaction


def keep_out(tx: Transaction) -> int:
    """No replay is activated until this transaction ends; waits for one that is. Returns the number of the last.

    Whoever decides takes it before anything else that a decision rests on: all it reads is from before an activation or
    all from after it.
    """
    tx.run("keep_activation_out")
    row = tx.row(
        "last_activation"
    )  # a query of its own: it sees what was committed while the lock was waited for
    assert row is not None
    number: int = row[0]
    return number


def stand_alone(tx: Transaction) -> None:
    """Nobody decides until this transaction ends; waits for those who do."""
    tx.run("activate_alone")

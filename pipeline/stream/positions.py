"""Consumer positions: they live in Postgres, so that they commit together with the effects they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.errors import PositionFenced
from pipeline.store.database import Transaction
from pipeline.stream.batch import Advance, Place


def load_positions(tx: Transaction, stage: str, places: Iterable[Place]) -> dict[Place, int]:
    """The next offset of each partition that has one."""
    wanted = sorted(places)
    parameters = {"stage": stage, "topics": [t for t, _ in wanted], "partitions": [p for _, p in wanted]}
    return {(topic, partition): offset for topic, partition, offset in tx.rows("load_positions", parameters)}


def advance(tx: Transaction, stage: str, positions: Sequence[Advance]) -> None:
    """Move positions inside the transaction that holds the effects. Each partition at most once a call.

    Raises PositionFenced where a position is not what was expected: another worker owns the partition, or the
    batch was committed before. The rows stay locked until the transaction ends: two workers never both pass.
    """
    if not positions:
        return
    parameters = {
        "stage": stage,
        "topics": [p.topic for p in positions],
        "partitions": [p.partition for p in positions],
        "expected": [p.expected for p in positions],
        "next": [p.next for p in positions],
    }
    row = tx.row("advance_positions", parameters)
    if row is None or row[0] != len(positions):
        raise PositionFenced(
            f"{stage}: another worker moved a position of this batch, or it was committed before"
        )

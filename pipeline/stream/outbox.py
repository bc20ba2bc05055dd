"""The only way out of a transaction: messages are rows until the relay has published them."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.store.database import Transaction


def write_outbox(
    tx: Transaction, topic: str, keys: Sequence[bytes], payloads: Sequence[bytes | None]
) -> None:
    """Publish these messages once, and only if, the transaction commits; a payload of None is a tombstone.

    `topic` is a name of schemas/topics.yaml. Messages keep their order. To keep the order of a key between
    transactions, write after taking the row locks that guard the key: the ids of rows then follow the locks.
    """
    if not keys:
        return
    parameters = {"topic": topic, "keys": list(keys), "payloads": [p or b"" for p in payloads]}
    tx.run("write_outbox", parameters)

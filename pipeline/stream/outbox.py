"""The only way out of a transaction: messages are rows until the relay has published them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.identity.ids import Id
from pipeline.privacy.seal import open_sealed, seal
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
    parameters = {
        "topic": topic,
        "keys": list(keys),
        "payloads": [p or b"" for p in payloads],
        "owners": None,
    }
    tx.run("write_outbox", parameters)


class ToSeal(NamedTuple):
    """A message of a dead letter: it may hold plaintext, so that it waits sealed under the data key of its owner."""

    key: bytes
    payload: bytes
    owner: Id
    data_key: bytes

    def __repr__(self) -> str:
        """Without the payload and the key that opens it."""
        return f"ToSeal(owner={self.owner!r})"


def write_sealed_outbox(tx: Transaction, topic: str, messages: Sequence[ToSeal]) -> None:
    """`write_outbox` of the messages of dead letters. The relay opens them, and names the letter in a header."""
    parameters = {
        "topic": topic,
        "keys": [m.key for m in messages],
        "payloads": [seal(m.data_key, m.payload, _context(m.owner)) for m in messages],
        "owners": [m.owner for m in messages],
    }
    tx.run("write_outbox", parameters)


def open_payload(owner: Id, data_key: bytes, sealed: bytes) -> bytes:
    """A payload of `ToSeal` as it is to be published. Raises SealBroken."""
    return open_sealed(data_key, sealed, _context(owner))


def _context(owner: Id) -> bytes:
    return b"outbox:payload:" + owner

"""Chains what was written into the audit log: one entry behind the other, as they are found committed.

Writers only say that an entry is to be chained (`audit_unchained`), so that none waits for another. Whatever ends this,
and wherever, an entry is chained or still waits: both are one transaction. Runs in the relay's process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from psycopg.rows import TupleRow

from pipeline import metrics
from pipeline.audit.actions import Action
from pipeline.audit.chain import GENESIS, canonical, link_hash
from pipeline.audit.entry import AuditEntry
from pipeline.audit.kept_head import KeptHead
from pipeline.audit.signing import Head
from pipeline.errors import RetryLater
from pipeline.log import get_audit_logger, get_logger
from pipeline.privacy.keyring import KeyRing
from pipeline.settings import Settings
from pipeline.store.audit import as_json, document, last_head
from pipeline.store.database import Database, Transaction
from pipeline.store.roles import Role, as_role
from pipeline.stream.backoff import Backoff

STAGE = "audit"
_INSERTS = 200  # of some hundred entries at most
_POLL_S = 1.0
_MEASURE_S = 1.0
_TELL_S = 60.0
_TYPES = ("int8", "int8", "bytea", "bytea", "timestamptz", "int2", "bytea")
_NOTHING = b"null"
"""What is chained for an entry that was gone before it came to its place: the hole stays in the chain."""


class _End(NamedTuple):
    """Where the chain ends; `head` is None where nothing is chained, or the last place carries no signature of ours."""

    seq: int
    hash: bytes
    head: Head | None


class Chainer:
    """Puts entries into the chain. One thread, one connection; others may do so as well."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        inserts: int = _INSERTS,
        head: Head | None = None,
    ) -> None:
        """`inserts`: of so many inserts entries are chained together. `head`: what the chain is known to hold."""
        self._database = database
        self._ring = ring
        self._clock = clock
        self._inserts = inserts
        self._measured = -_MEASURE_S
        self.head = head
        """The last one that is known: signed here, or met by somebody else's."""

    def chain_some(self) -> int:
        """Chain the oldest entries, and sign the last of them; how many inserts they are of, 0 also while somebody else
        is at it. Where the chain is not as it was signed an entry that says so is chained instead.

        Raises StoreUnavailable: they wait, or are chained; RetryLater: a newer key ring signed the end.
        """
        with self._database.transaction() as tx:
            self._measure(tx)  # whoever chains, and whoever keeps others from it
            claim = tx.row("claim_chain")
            if claim is None or not claim[0]:
                return 0
            end = self._end(tx)
            asked = {"limit": self._inserts, "insert": self._broken(tx, end)}
            rows = tx.rows("entries_to_chain", asked)
            waiting = {row[1]: tuple(row[2:]) for row in rows if row[1] is not None}
            head = self._append(tx, end, waiting) if waiting else end.head
            inserts = {row[0] for row in rows}
            if inserts:
                tx.run("delete_unchained", (list(inserts),))
        self.head = head
        metrics.AUDIT_CHAINED.inc(len(waiting))
        return len(inserts)

    def _append(self, tx: Transaction, end: _End, waiting: Mapping[int, TupleRow]) -> Head:
        seq, previous = end.seq, end.hash
        links: list[list[object]] = []
        for entry_id, fields in waiting.items():
            entry = document(entry_id, fields)
            if entry is None:
                get_logger().error("an audit entry is gone before it was chained", entry_id=entry_id)
            seq += 1
            hash_ = link_hash(previous, _NOTHING if entry is None else canonical(entry))
            links.append([seq, entry_id, previous, hash_, None, None, None])
            previous = hash_
        head = Head.made(seq, previous, self._clock(), self._ring.audit_signer)
        links[-1][4:] = [head.at, head.version, head.signature]
        tx.copy("copy_chain", _TYPES, links)
        return head

    def _end(self, tx: Transaction) -> _End:
        found = last_head(tx)
        if found is None:
            return _End(0, GENESIS, None)
        seq, hash_, head = found
        own = self._ring.audit_signer.version
        if head is not None and head.version > own:
            raise RetryLater(
                f"the chain was signed by version {head.version} of the key ring, and {own} is the current one here"
            )
        signed = head is not None and head.is_signed(self._ring.audit_keys())
        return _End(seq, hash_, head if signed else None)

    def _broken(self, tx: Transaction, end: _End) -> int | None:
        """The insert of the entry that tells of it, where the chain does not end signed, as every batch does, or lacks
        the head that is known: somebody changed it. What comes is chained behind that entry rather than kept waiting:
        nothing finds changes of what waits."""
        known = self.head
        if known is not None:
            place = tx.row("chained_place", (known.seq,))
            known = None if place is not None and place[0] == known.hash else known
        if known is None and (end.head is not None or end.seq == 0):
            return None
        metrics.AUDIT_BROKEN.inc()
        get_logger().error("the audit log was cut off or made anew", seq=end.seq, known=str(known))
        details = {"end": end.seq, **({} if known is None else {"known": str(known)})}
        entry = AuditEntry(Action.AUDIT_BROKEN, STAGE, self._clock(), details=details)
        row = tx.row("insert_audit_entries", (as_json([entry]),))
        return None if row is None else int(row[0])

    def _measure(self, tx: Transaction) -> None:
        if time.monotonic() - self._measured < _MEASURE_S:
            return  # it reads all that waits
        self._measured = time.monotonic()
        waiting = tx.row("unchained_depth")
        if waiting is not None:
            metrics.AUDIT_UNCHAINED.set(waiting[0])
            metrics.AUDIT_UNCHAINED_SECONDS.set(waiting[1])


def run(chainer: Chainer, settings: Settings, stop: threading.Event) -> None:
    """Chain until stopped, and keep the head where no database reaches: in a file, and once a minute in the log.
    Servers that are away are waited for."""
    backoff, told, told_at = Backoff(settings), chainer.head, time.monotonic() - _TELL_S
    file, kept = KeptHead(settings), chainer.head
    while not stop.is_set():
        try:
            if chainer.chain_some() < _INSERTS:
                stop.wait(_POLL_S)
            backoff.reset()
        except RetryLater as exc:
            wait_s = backoff.next()
            metrics.RETRIES.labels(STAGE, type(exc).__name__).inc()
            get_logger().warning("trying again", stage=STAGE, error=str(exc), wait_s=round(wait_s, 3))
            stop.wait(wait_s)
        if chainer.head is not None and chainer.head != kept:
            file.write(chainer.head)
            kept = chainer.head
        if chainer.head != told and (stop.is_set() or time.monotonic() - told_at >= _TELL_S):
            get_audit_logger().info("audit head", head=str(chainer.head))
            told, told_at = chainer.head, time.monotonic()


@contextmanager
def chaining(settings: Settings, ring: KeyRing, stop: threading.Event) -> Iterator[None]:
    """Chains on a thread while the block runs; sets `stop` when either ends.

    Raises at the end what ended the thread.
    """
    with ThreadPoolExecutor(1, thread_name_prefix=STAGE) as pool:
        ended: Future[None] = pool.submit(_run, settings, ring, stop)
        ended.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            stop.set()
        ended.result()


def _run(settings: Settings, ring: KeyRing, stop: threading.Event) -> None:
    get_logger().info("audit chain starts")
    with Database(as_role(settings, Role.RELAY), STAGE) as database:
        known = KeptHead(settings).read(ring.audit_keys())
        run(Chainer(database, ring, head=known), settings, stop)

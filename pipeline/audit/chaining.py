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

from psycopg.rows import TupleRow

from pipeline import metrics
from pipeline.audit.chain import GENESIS, canonical, link_hash
from pipeline.audit.signing import Head, Signer
from pipeline.errors import RetryLater
from pipeline.log import get_audit_logger, get_logger
from pipeline.privacy.keyring import KeyRing
from pipeline.settings import Settings
from pipeline.store.audit import document, last_head
from pipeline.store.database import Database, Transaction
from pipeline.stream.backoff import Backoff

STAGE = "audit"
_INSERTS = 200  # of some hundred entries at most
_POLL_S = 1.0
_TELL_S = 60.0
_TYPES = ("int8", "int8", "bytea", "bytea", "timestamptz", "int2", "bytea")
_NOTHING = b"null"
"""What is chained for an entry that was gone before it came to its place: the hole stays in the chain."""


class Chainer:
    """Puts entries into the chain. One thread, one connection; others may do so as well."""

    def __init__(
        self,
        database: Database,
        signer: Signer,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        inserts: int = _INSERTS,
    ) -> None:
        """`inserts`: of so many inserts entries are chained together."""
        self._database = database
        self._signer = signer
        self._clock = clock
        self._inserts = inserts
        self.head: Head | None = None
        """The last one that was signed here."""

    def chain_some(self) -> int:
        """Chain the oldest entries, and sign the last of them; how many inserts they are of, 0 also while somebody else
        is at it. Raises StoreUnavailable: they wait, or are chained."""
        with self._database.transaction() as tx:
            claim = tx.row("claim_chain")
            if claim is None or not claim[0]:
                return 0
            self._measure(tx)
            rows = tx.rows("entries_to_chain", {"limit": self._inserts})
            if not rows:
                return 0
            waiting = {row[1]: tuple(row[2:]) for row in rows if row[1] is not None}
            head = self._append(tx, waiting) if waiting else self.head
            inserts = {row[0] for row in rows}
            tx.run("delete_unchained", (list(inserts),))
        self.head = head
        metrics.AUDIT_CHAINED.inc(len(waiting))
        return len(inserts)

    def _append(self, tx: Transaction, waiting: Mapping[int, TupleRow]) -> Head:
        seq, previous = self._end(tx)
        links: list[list[object]] = []
        for entry_id, fields in waiting.items():
            entry = document(entry_id, fields)
            if entry is None:
                get_logger().error("an audit entry is gone before it was chained", entry_id=entry_id)
            seq += 1
            hash_ = link_hash(previous, _NOTHING if entry is None else canonical(entry))
            links.append([seq, entry_id, previous, hash_, None, None, None])
            previous = hash_
        head = Head.made(seq, previous, self._clock(), self._signer)
        links[-1][4:] = [head.at, head.version, head.signature]
        tx.copy("copy_chain", _TYPES, links)
        return head

    def _end(self, tx: Transaction) -> tuple[int, bytes]:
        """Where the chain ends. What was signed here has to be in it: unless it is, somebody has changed the chain."""
        found = last_head(tx)
        seq, hash_ = (0, GENESIS) if found is None else found[:2]
        if (known := self.head) is not None:
            row = tx.row("chained_place", (known.seq,))
            if row is None or row[0] != known.hash:
                metrics.AUDIT_BROKEN.inc()
                get_logger().error("the audit log was cut off or made anew", seq=seq, known=str(known))
        return seq, hash_

    def _measure(self, tx: Transaction) -> None:
        waiting = tx.row("unchained_depth")
        if waiting is not None:
            metrics.AUDIT_UNCHAINED.set(waiting[0])
            metrics.AUDIT_UNCHAINED_SECONDS.set(waiting[1])


def run(chainer: Chainer, settings: Settings, stop: threading.Event) -> None:
    """Chain until stopped, and tell the head once a minute where no database reaches: in the log. Servers that are away
    are waited for."""
    backoff, told, told_at = Backoff(settings), chainer.head, time.monotonic() - _TELL_S
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
    with Database(settings.postgres_dsn.get_secret_value(), STAGE) as database:
        run(Chainer(database, ring.audit_signer), settings, stop)

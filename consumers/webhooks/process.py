"""The webhooks process: one of any number delivers, to every webhook that is enabled, each on its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from consumers.webhooks.books import Disabled
from consumers.webhooks.delivering import Delivering
from consumers.webhooks.threads import Threads
from pipeline import metrics
from pipeline.errors import NotFound, RetryLater
from pipeline.identity.ids import Id
from pipeline.log import configure, get_logger
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.roles import Role, as_role
from pipeline.stream.backoff import Backoff
from pipeline.stream.process import stop_on_signals
from schemas.codec import Codec, load_codec

NAME = "webhooks"
_LOOK_S = 1.0
_MEASURE_S = 10.0
_PRUNE = 5_000
_PASSING = (Disabled, NotFound, RetryLater, asyncio.CancelledError)


class Claim:
    """Whether this process is the one that delivers, for as long as its session with Postgres lasts."""

    def __init__(self, settings: Settings) -> None:
        self._database = Database(as_role(settings, Role.WEBHOOKS), "webhooks-claim")
        self._prefix = settings.topic_prefix
        self._claimed: object | None = None

    def held(self) -> bool:
        """Claims it where nobody else has it; blocks. Raises StoreUnavailable."""
        with self._database.transaction() as tx:
            row = tx.row(
                "claim_webhooks", {"prefix": self._prefix, "held": self._database.session is self._claimed}
            )
            if row is None or not row[0]:
                return False
            self._claimed = self._database.session
            return True

    def close(self) -> None:
        """Let others deliver."""
        self._database.close()


class _Running:
    """Delivering to one webhook as of a revision."""

    def __init__(self, revision: int, task: asyncio.Task[None], backoff: Backoff) -> None:
        self.revision = revision
        self.task = task
        self.backoff = backoff
        self.not_before = 0.0


class Webhooks:
    """Starts and ends the delivering to each webhook as the table has it."""

    def __init__(self, settings: Settings, ring: KeyRing, codec: Codec, threads: Threads) -> None:
        self._settings = settings
        self._ring = ring
        self._codec = codec
        self._threads = threads
        self._running: dict[Id, _Running] = {}
        self._measured = float("-inf")

    async def look(self) -> None:
        """Bring what runs in line with the table. Raises RetryLater."""
        wanted: dict[Id, int] = dict(
            await self._threads.transaction(lambda tx: tx.rows("webhooks_to_deliver"))
        )
        stale = [key for key, one in self._running.items() if wanted.get(key) != one.revision]
        await self._end(stale)
        for webhook_id, revision in wanted.items():
            one = self._running.get(webhook_id)
            if one is None:
                self._running[webhook_id] = _Running(
                    revision, self._started(webhook_id), Backoff(self._settings)
                )
            elif one.task.done():
                self._again(webhook_id, one)
        await self._measure()

    def _started(self, webhook_id: Id) -> asyncio.Task[None]:
        one = Delivering(webhook_id, self._settings, self._ring, self._codec, self._threads)
        return asyncio.create_task(one.run())

    def _again(self, webhook_id: Id, one: _Running) -> None:
        now = time.monotonic()
        if not one.not_before:
            one.not_before = now + one.backoff.next()
            _say(webhook_id, one.task)
        if now >= one.not_before:
            one.not_before, one.task = 0.0, self._started(webhook_id)

    async def _end(self, webhook_ids: list[Id]) -> None:
        ending = [self._running.pop(webhook_id).task for webhook_id in webhook_ids]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def end(self) -> None:
        """Deliver to nobody any more, once attempts under way are over."""
        await self._end(list(self._running))

    async def _measure(self) -> None:
        if time.monotonic() - self._measured < _MEASURE_S:
            return
        self._measured = time.monotonic()
        now = datetime.now(UTC)
        old = {
            "delivered_before": now - timedelta(hours=self._settings.webhook_keep_delivered_hours),
            "dead_before": now - timedelta(hours=self._settings.webhook_keep_dead_hours),
            "limit": _PRUNE,
        }
        while await self._threads.transaction(lambda tx: tx.run("prune_deliveries", old)) == _PRUNE:
            pass  # in bites, so that no transaction is long
        counts = await self._threads.transaction(lambda tx: tx.row("webhook_counts")) or (0, 0, 0, 0, 0.0)
        for state, count in zip(("enabled", "failing", "disabled"), counts, strict=False):
            metrics.WEBHOOKS.labels(state).set(count)
        metrics.WEBHOOK_DEAD.set(counts[3])
        metrics.WEBHOOK_FAILING_SECONDS.set(counts[4])


def _say(webhook_id: Id, task: asyncio.Task[None]) -> None:
    """Why delivering ended: what passes by itself in a line, all else whole."""
    error = None if task.cancelled() else task.exception()
    if error is None or all(isinstance(one, Disabled) for one in _leaves(error)):
        return
    known = all(isinstance(one, _PASSING) for one in _leaves(error))
    get_logger().warning(
        "delivering to a webhook begins again",
        webhook_id=str(webhook_id),
        error="; ".join(str(one) or type(one).__name__ for one in _leaves(error)),
        exc_info=None if known else error,
    )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


async def _deliver(settings: Settings, ring: KeyRing, codec: Codec, stop: threading.Event) -> None:
    threads, claim = Threads(settings), Claim(settings)
    webhooks = Webhooks(settings, ring, codec, threads)
    backoff = Backoff(settings)
    try:
        while not stop.is_set():
            try:
                if await asyncio.to_thread(claim.held):
                    await webhooks.look()
                else:
                    await webhooks.end()
                backoff.reset()
                wait_s = _LOOK_S
            except RetryLater as exc:
                metrics.RETRIES.labels(NAME, type(exc).__name__).inc()
                get_logger().warning("trying again", stage=NAME, error=str(exc))
                wait_s = backoff.next()
            await asyncio.to_thread(stop.wait, wait_s)
    finally:
        await webhooks.end()
        await asyncio.to_thread(threads.close)
        claim.close()


def main(settings: Settings) -> None:
    """Deliver until SIGTERM. Raises ConfigurationError."""
    configure(settings, NAME)
    metrics.serve(settings)
    stop = stop_on_signals()
    ring, codec = load_key_ring(settings), load_codec(settings)
    get_logger().info("webhooks start")
    asyncio.run(_deliver(settings, ring, codec, stop))
    get_logger().info("webhooks stopped")

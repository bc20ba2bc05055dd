"""The Kafka loop of the stages: collect a batch, handle it, go on; retry, fence, isolate what is poison, and pause.

A batch's effects and its positions commit together in the handler's transaction. So whatever ends a worker,
wherever, the next one starts from exactly the effects that stand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer

from pipeline import metrics
from pipeline.codes import ReasonCode
from pipeline.errors import (
    BadMessage,
    ConfigurationError,
    PositionFenced,
    RetryLater,
    StagePaused,
    StageStopped,
)
from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.roles import as_role, role_of
from pipeline.stream.backoff import Backoff
from pipeline.stream.batch import Advance, Batch, Handler, Message, Place, Preparing, Refusing, Settling
from pipeline.stream.guard import DeadLetterGuard
from pipeline.stream.outbox import write_outbox
from pipeline.stream.pausing import Pauses, StoredPauses
from pipeline.stream.positions import advance, load_positions
from pipeline.stream.source import KafkaSource, Reading, Source

__all__ = ["Advance", "Batch", "Handler", "Loop", "Message", "Settling", "advance", "run", "write_outbox"]

Messages = tuple[Message, ...]
_PAUSED_LOOK_S = 1.0
_READING = Reading(look_s=5.0)


def run(handler: Handler, settings: Settings, stop: threading.Event) -> None:
    """Handle the messages of `handler.topic` until `stop` is set; then finish the batch in hand and leave.

    Raises StageStopped (Kafka refuses for good) and ConfigurationError.
    """

    def stored(_: Consumer, places: Sequence[Place]) -> Mapping[Place, int]:
        # on a connection of its own: partitions may come while the handler is amid a transaction
        dsn = as_role(settings, role_of(handler.stage))
        with Database(dsn, f"{handler.stage}-positions") as database, database.transaction() as tx:
            return load_positions(tx, handler.stage, places)

    settle = handler.settle if isinstance(handler, Settling) else lambda: None
    source = KafkaSource(
        handler.stage, [handler.topic], settings, stored, stop, reading=_READING, settle=settle
    )
    try:
        Loop(handler, source, settings, stop, StoredPauses(handler.stage, settings)).run()
    finally:
        source.close()


class _TryAgain(RetryLater):
    """A failure that may pass: the same batch once more before the search for a poison message begins."""


class Loop:
    """The loop on any source. `run` returns once `stop` is set.

    Where too much would become a dead letter, or somebody wrote it down, it pauses: it stays in its group and handles
    nothing until the pause is ended. What it was paused for is then the first that it handles.
    """

    def __init__(
        self, handler: Handler, source: Source, settings: Settings, stop: threading.Event, pauses: Pauses
    ) -> None:
        self._handler = handler
        self._source = source
        self._stop = stop
        self._pauses = pauses
        self._attempts = settings.retry_attempts
        self._failures = 0
        self._backoff = Backoff(settings)
        self._guard = DeadLetterGuard(settings)
        if isinstance(handler, Preparing):
            prepare = handler.prepare
            handler.meanwhile = lambda: prepare(source.ahead())
        if isinstance(handler, Refusing):
            handler.may_refuse = self._guard.before

    def run(self) -> None:
        """See the class. Raises StageStopped, ConfigurationError."""
        metrics.STAGE_PAUSED.labels(self._handler.stage).set(0)
        while not self._stop.is_set():
            self._wait_out(self._pauses.soon())
            started = time.perf_counter()
            messages = self._source.collect()
            if not messages:
                self._settle()
                continue
            metrics.STEP_SECONDS.labels(self._handler.stage, "collect").observe(time.perf_counter() - started)
            self._process(messages)
        self._settle()

    def _settle(self) -> None:
        """Write what is pending; and look, for where Postgres went back nothing may come that would tell of it."""
        try:
            if isinstance(self._handler, Settling):
                self._handler.settle()
            if not self._stop.is_set():
                self._source.look()
            self._backoff.reset()
        except PositionFenced as exc:
            self._fenced(exc)
        except RetryLater as exc:
            # nothing is lost: what was not written is handled again, and found done
            self._wait(exc)

    def _process(self, messages: Messages) -> None:
        """Handle messages to the end, or as far as the partitions stay ours and nobody stops us."""
        self._failures = 0
        todo = [messages]
        while todo and not self._stop.is_set():
            batch = self._source.batch(todo.pop())
            if not batch.messages:
                continue
            try:
                todo.extend(reversed(self._attempt(batch)))
            except StagePaused as exc:
                todo.append(batch.messages)
                self._pause(str(exc))
            except PositionFenced as exc:
                self._fenced(exc)
                return
            except RetryLater as exc:
                todo.append(batch.messages)
                self._wait(exc)

    def _attempt(self, batch: Batch) -> Sequence[Messages]:
        """Handle a batch; returns what of it is still to be done, in order. Raises RetryLater."""
        started = time.perf_counter()
        try:
            dead = self._handler.handle(batch) or 0
        except (RetryLater, ConfigurationError, StagePaused, StageStopped):
            raise
        except Exception as exc:
            return self._failed(batch, exc)
        metrics.STEP_SECONDS.labels(self._handler.stage, "handle").observe(time.perf_counter() - started)
        self._done(batch, dead)
        return ()

    def _failed(self, batch: Batch, error: Exception) -> Sequence[Messages]:
        """Not the servers' fault: try a few times, then halves, at last the one message that does it."""
        self._failures += 1
        if not isinstance(error, BadMessage) and self._failures < self._attempts:
            raise _TryAgain(f"{type(error).__name__} in {self._handler.stage}") from error
        if len(batch.messages) > 1:
            middle = len(batch.messages) // 2
            return batch.messages[:middle], batch.messages[middle:]
        message, position = batch.messages[0], batch.positions[0]
        reason = error.reason if isinstance(error, BadMessage) else ReasonCode.PROCESSING_FAILED
        unexplained = reason is ReasonCode.PROCESSING_FAILED
        self._guard.before(1, 1, unexplained=unexplained)
        self._handler.bury(message, position, error)
        metrics.DEAD_LETTERS.labels(self._handler.stage, reason).inc()
        get_logger().error(
            "a message was buried as a dead letter",
            stage=self._handler.stage,
            reason=reason,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            exc_info=None if isinstance(error, BadMessage) else error,
        )
        self._done(batch, dead=1, unexplained=unexplained)
        return ()

    def _done(self, batch: Batch, dead: int, *, unexplained: bool = False) -> None:
        self._source.done(batch)
        self._backoff.reset()
        metrics.BATCH_MESSAGES.labels(self._handler.stage).observe(len(batch.messages))
        self._guard.done(len(batch.messages), dead, unexplained=unexplained)

    def _pause(self, reason: str) -> None:
        """Write down that the stage waits, and wait."""
        while not self._stop.is_set():
            try:
                self._pauses.pause(reason)
            except RetryLater as exc:
                self._wait(exc)
            else:
                self._wait_out(reason)
                return

    def _wait_out(self, reason: str | None) -> None:
        """Handle nothing while the stage is paused; then go on as if nothing had been refused before."""
        if reason is None:
            return
        get_logger().error(
            "paused until somebody resumes the stage", stage=self._handler.stage, reason=reason
        )
        metrics.STAGE_PAUSED.labels(self._handler.stage).set(1)
        self._settle()
        while not self._stop.is_set():
            self._source.keep_alive(_PAUSED_LOOK_S)
            if self._pauses.paused() is None:
                break
        else:
            return
        self._guard.resumed()
        metrics.STAGE_PAUSED.labels(self._handler.stage).set(0)
        get_logger().info("resumed", stage=self._handler.stage)

    def _wait(self, error: RetryLater) -> None:
        seconds = self._backoff.next()
        cause = type(error.__cause__ if isinstance(error, _TryAgain) else error).__name__
        metrics.RETRIES.labels(self._handler.stage, cause).inc()
        get_logger().warning(
            "trying again",
            stage=self._handler.stage,
            cause=cause,
            error=str(error),
            wait_s=round(seconds, 3),
            exc_info=error.__cause__ if isinstance(error, _TryAgain) else None,
        )
        self._source.keep_alive(seconds)

    def _fenced(self, error: PositionFenced) -> None:
        """Drop what is in hand and go on from where the positions stand."""
        metrics.RETRIES.labels(self._handler.stage, type(error).__name__).inc()
        get_logger().info("fenced: going on from the stored positions", stage=self._handler.stage)
        while not self._stop.is_set():
            try:
                self._source.rewind()
                return
            except RetryLater as exc:
                self._wait(exc)

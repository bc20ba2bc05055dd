"""The loop on an in-memory source: retries, fences, the search for a poison message, and its limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from pipeline.codes import ReasonCode
from pipeline.errors import (
    BadMessage,
    ConfigurationError,
    PositionFenced,
    RetryLater,
    StoreUnavailable,
)
from pipeline.settings import Settings
from pipeline.stream.batch import Advance, Batch, Message, Place
from pipeline.stream.loop import Loop
from pipeline.stream.memory import MemoryPauses, MemorySource

A, B = ("t", 0), ("t", 1)
FAST = Settings(retry_initial_ms=1, retry_max_ms=2, retry_attempts=3)


def message(offset: int, place: Place = A) -> Message:
    return Message(*place, offset, datetime(2026, 1, 1, tzinfo=UTC), None, str(offset).encode())


class Recorder:
    """A handler that commits to memory what a stage would to Postgres; `fail` raises before anything is committed."""

    stage = "test"
    topic = "t"

    def __init__(self, fail: Callable[[Batch], None] = lambda _: None) -> None:
        self.fail = fail
        self.handled: list[tuple[Place, int]] = []
        self.buried: list[tuple[int, Exception]] = []
        self.positions: dict[Place, int] = {}
        self.attempts = 0

    def handle(self, batch: Batch) -> None:
        self.attempts += 1
        self.fail(batch)
        self._advance(batch.positions)
        self.handled += [((m.topic, m.partition), m.offset) for m in batch.messages]

    def bury(self, message: Message, advance: Advance, error: Exception) -> None:
        self._advance([advance])
        self.buried.append((message.offset, error))

    def _advance(self, positions: Sequence[Advance]) -> None:
        if any(self.positions.get((p.topic, p.partition)) != p.expected for p in positions):
            raise PositionFenced("moved")
        self.positions |= {(p.topic, p.partition): p.next for p in positions}


def run(
    handler: Recorder,
    counts: dict[Place, int],
    settings: Settings = FAST,
    limit: int = 10,
    pauses: MemoryPauses | None = None,
    stop: threading.Event | None = None,
) -> MemorySource:
    stop = stop or threading.Event()
    log = {place: [message(i, place) for i in range(count)] for place, count in counts.items()}
    source = MemorySource(log, handler.positions, limit, stop.set)
    Loop(handler, source, settings, stop, pauses or MemoryPauses()).run()
    return source


def test_what_the_store_lost_is_read_again_though_nothing_comes() -> None:
    """A standby that lagged has taken over: nothing that is still to come tells of it."""
    handler, stop, empty = Recorder(), threading.Event(), iter(range(3))

    def when_empty() -> None:
        turn = next(empty)
        if turn == 0:
            handler.positions[A] = 20
        elif turn == 2:
            stop.set()

    log = {place: [message(i, place) for i in range(25)] for place in (A, B)}
    source = MemorySource(log, handler.positions, 10, when_empty)
    Loop(handler, source, FAST, stop, MemoryPauses()).run()
    again = [offset for where, offset in handler.handled[50:]]
    assert again == list(range(20, 25))


def test_every_message_is_handled_once_in_order() -> None:
    handler = Recorder()
    run(handler, {A: 25, B: 13})
    for place, count in ((A, 25), (B, 13)):
        assert [offset for where, offset in handler.handled if where == place] == list(range(count))
    assert handler.positions == {A: 25, B: 13}


def test_a_server_that_is_away_is_waited_for() -> None:
    def fail(_: Batch) -> None:
        if handler.attempts <= 7:
            raise StoreUnavailable("away")

    handler = Recorder(fail)
    source = run(handler, {A: 5})
    assert len(handler.handled) == 5
    assert not handler.buried
    assert len(source.waits) == 7
    assert all(0 <= wait <= 0.002 for wait in source.waits)


@pytest.mark.parametrize(
    "error", [ValueError("customer Jane"), BadMessage(ReasonCode.UNDECODABLE, "no Avro")]
)
def test_one_poison_message_harms_only_itself(error: Exception) -> None:
    def fail(batch: Batch) -> None:
        if any(m.offset == 6 for m in batch.messages):
            raise error

    handler = Recorder(fail)
    run(handler, {A: 25})
    assert handler.buried == [(6, error)]
    assert [offset for _, offset in handler.handled] == [i for i in range(25) if i != 6]
    assert handler.positions == {A: 25}


def test_an_unknown_error_gets_another_chance_and_a_bad_message_none() -> None:
    def fail(batch: Batch) -> None:
        raise ValueError if handler.attempts < FAST.retry_attempts else RuntimeError("passed")

    handler = Recorder(lambda batch: fail(batch) if handler.attempts < FAST.retry_attempts else None)
    run(handler, {A: 4})
    assert not handler.buried
    assert handler.attempts == FAST.retry_attempts

    def bad(_: Batch) -> None:
        raise BadMessage(ReasonCode.UNDECODABLE, "no Avro")

    handler = Recorder(bad)
    run(handler, {A: 1})
    assert handler.attempts == 1


def test_fenced_goes_on_from_the_stored_position() -> None:
    """The other worker handled five; we must not handle them again, nor leave any out."""
    handler = Recorder()

    def fail(_: Batch) -> None:
        if handler.attempts == 2:
            handler.positions[A] = 15

    handler.fail = fail
    run(handler, {A: 25})
    assert [offset for _, offset in handler.handled] == [*range(10), *range(15, 25)]


def test_a_commit_of_unknown_outcome_is_not_done_twice() -> None:
    class Torn(Recorder):
        def handle(self, batch: Batch) -> None:
            super().handle(batch)
            if self.attempts == 1:
                raise StoreUnavailable("the connection broke while committing")

    handler = Torn()
    run(handler, {A: 25})
    assert [offset for _, offset in handler.handled] == list(range(25))


def test_partitions_lost_while_waiting_are_left_to_their_new_holder() -> None:
    handler = Recorder()

    def fail(_: Batch) -> None:
        if handler.attempts == 1:
            raise StoreUnavailable("away")

    handler.fail = fail
    stop = threading.Event()
    log = {place: [message(i, place) for i in range(4)] for place in (A, B)}

    class Rebalanced(MemorySource):
        def keep_alive(self, seconds: float) -> None:
            self.lose(A)

    Loop(handler, Rebalanced(log, handler.positions, 100, stop.set), FAST, stop, MemoryPauses()).run()
    assert handler.handled == [(B, i) for i in range(4)]
    assert handler.positions == {B: 4}


class Stopping(MemoryPauses):
    """The process is stopped once it is paused and looked `patience` times in vain."""

    def __init__(self, stop: threading.Event, patience: int = 3, reason: str | None = None) -> None:
        super().__init__(reason)
        self.stop = stop
        self.patience = patience

    def paused(self) -> str | None:
        if self.reason is not None:
            self.patience -= 1
            if not self.patience:
                self.stop.set()
        return self.reason


def test_pauses_rather_than_bury_a_bad_deploy() -> None:
    def broken(_: Batch) -> None:
        raise ValueError("a bug of ours")

    handler, stop = Recorder(broken), threading.Event()
    pauses = Stopping(stop)
    settings = FAST.model_copy(update={"dead_letter_run_max": 3})
    source = run(handler, {A: 100}, settings, pauses=pauses, stop=stop)
    assert pauses.reason is not None
    assert "mend the deploy" in pauses.reason
    assert len(handler.buried) == 3
    assert handler.positions == {A: 3}, "what the stage is paused for is not handled"
    assert len([wait for wait in source.waits if wait >= 1]) == 3, "it stays in its group"


def test_pauses_above_the_dead_letter_ratio_and_goes_on_with_what_it_was_paused_for() -> None:
    def bad(batch: Batch) -> None:
        if any(20 <= m.offset < 40 for m in batch.messages):
            raise BadMessage(ReasonCode.UNDECODABLE, "no Avro")

    buried: list[int] = []

    def resume() -> None:
        if pauses.reason is not None:
            buried.append(len(handler.buried))
            pauses.reason = None

    handler, pauses = Recorder(bad), MemoryPauses(looks=resume)
    settings = FAST.model_copy(update={"dead_letter_window": 10, "dead_letter_ratio_max": 0.5})
    run(handler, {A: 100}, settings, pauses=pauses)
    assert all("dead letters" in reason for reason in pauses.history)
    assert buried == [5, 10, 15], "with a fresh window each time"
    assert [offset for offset, _ in handler.buried] == list(range(20, 40))
    assert [offset for _, offset in handler.handled] == [*range(20), *range(40, 100)]


class Refuser(Recorder):
    """Refuses messages by itself, as normalize does."""

    def __init__(self) -> None:
        super().__init__()
        self.may_refuse: Callable[[int, int], None] = lambda messages, refused: None
        self.refused: list[int] = []

    def handle(self, batch: Batch) -> int:  # type: ignore[override]
        bad = [m.offset for m in batch.messages if m.offset >= 10]
        if bad:
            self.may_refuse(len(batch.messages), len(bad))
        super().handle(batch)
        self.refused += bad
        return len(bad)


def test_a_batch_that_would_be_buried_whole_is_not() -> None:
    handler, stop = Refuser(), threading.Event()
    pauses = Stopping(stop)
    settings = FAST.model_copy(update={"dead_letter_window": 10, "dead_letter_ratio_max": 0.5})
    run(handler, {A: 30}, settings, pauses=pauses, stop=stop)
    assert not handler.refused
    assert handler.positions == {A: 10}


def test_a_stage_that_was_paused_is_paused_when_it_starts() -> None:
    handler, stop = Recorder(), threading.Event()
    run(handler, {A: 5}, pauses=Stopping(stop, 5, "somebody must look"), stop=stop)
    assert not handler.attempts


def test_a_pause_of_another_worker_counts_for_this_one() -> None:
    def pause(_: Batch) -> None:
        if handler.attempts == 2:
            pauses.reason = "the other worker met too many"

    handler, stop = Recorder(pause), threading.Event()
    pauses = Stopping(stop)
    run(handler, {A: 50}, pauses=pauses, stop=stop)
    assert handler.positions == {A: 20}, "the batch in hand is finished, the next is not begun"


def test_a_wrong_setting_is_no_poison() -> None:
    def wrong(_: Batch) -> None:
        raise ConfigurationError("no such model file")

    handler = Recorder(wrong)
    with pytest.raises(ConfigurationError):
        run(handler, {A: 3})
    assert not handler.buried


def test_pending_positions_are_settled_when_idle() -> None:
    class Late(Recorder):
        settled = 0

        def settle(self) -> None:
            self.settled += 1
            if self.settled == 1:
                raise RetryLater("not yet")

    handler = Late()
    source = run(handler, {A: 3})
    assert handler.settled == 2  # when all was read, and at the end
    assert len(source.waits) == 1


class Preparing(Recorder):
    """Prepares the messages of the next batch amid the handling of one."""

    def __init__(self, fail: Callable[[Batch], None] = lambda _: None) -> None:
        super().__init__(fail)
        self.prepared: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def handle(self, batch: Batch) -> None:
        self.meanwhile()
        super().handle(batch)

    def prepare(self, messages: Sequence[Message]) -> None:
        assert not {m.offset for m in messages} & {offset for _, offset in self.handled}
        self.prepared += [m.offset for m in messages]


def test_what_is_read_ahead_is_handled_next() -> None:
    handler = Preparing()
    run(handler, {A: 25})
    assert handler.prepared == list(range(10, 25))
    assert [offset for _, offset in handler.handled] == list(range(25))
    assert handler.positions == {A: 25}


def test_a_poison_message_among_what_was_read_ahead_harms_only_itself() -> None:
    def fail(batch: Batch) -> None:
        if any(m.offset == 14 for m in batch.messages):
            raise BadMessage(ReasonCode.UNDECODABLE, "no Avro")

    handler = Preparing(fail)
    run(handler, {A: 25})
    assert [offset for offset, _ in handler.buried] == [14]
    assert [offset for _, offset in handler.handled] == [i for i in range(25) if i != 14]


def test_what_was_read_ahead_is_dropped_when_fenced() -> None:
    handler = Preparing()

    def fail(_: Batch) -> None:
        if handler.attempts == 1:
            handler.positions[A] = 15

    handler.fail = fail
    run(handler, {A: 25})
    assert [offset for _, offset in handler.handled] == list(range(15, 25))


def test_what_reading_ahead_loses_is_read_again() -> None:
    handler = Preparing()
    stop = threading.Event()

    class Torn(MemorySource):
        collecting = False
        torn = 0

        def collect(self) -> tuple[Message, ...]:
            self.collecting = True
            try:
                return super().collect()
            finally:
                self.collecting = False

        def ahead(self) -> tuple[Message, ...]:
            read = super().ahead()
            if self.collecting or self.torn == 2:
                return read
            self.torn += 1  # taken from the client's queue, and gone
            self._hand.clear()
            raise PositionFenced("reading ahead failed")

    source = Torn({A: [message(i) for i in range(45)]}, handler.positions, 10, stop.set)
    Loop(handler, source, FAST, stop, MemoryPauses()).run()
    assert not handler.buried
    assert [offset for _, offset in handler.handled] == list(range(45))
    assert source.torn == 2

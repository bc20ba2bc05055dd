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
    StageStopped,
    StoreUnavailable,
)
from pipeline.settings import Settings
from pipeline.stream.batch import Advance, Batch, Message, Place
from pipeline.stream.loop import Loop
from pipeline.stream.memory import MemorySource

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
    handler: Recorder, counts: dict[Place, int], settings: Settings = FAST, limit: int = 10
) -> MemorySource:
    stop = threading.Event()
    log = {place: [message(i, place) for i in range(count)] for place, count in counts.items()}
    source = MemorySource(log, handler.positions, limit, stop.set)
    Loop(handler, source, settings, stop).run()
    return source


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

    Loop(handler, Rebalanced(log, handler.positions, 100, stop.set), FAST, stop).run()
    assert handler.handled == [(B, i) for i in range(4)]
    assert handler.positions == {B: 4}


def test_stops_rather_than_bury_a_bad_deploy() -> None:
    def broken(_: Batch) -> None:
        raise ValueError("a bug of ours")

    handler = Recorder(broken)
    with pytest.raises(StageStopped, match="mend the deploy"):
        run(handler, {A: 100}, FAST.model_copy(update={"dead_letter_run_max": 3}))
    assert len(handler.buried) == 3


def test_stops_above_the_dead_letter_ratio() -> None:
    def bad(batch: Batch) -> None:
        if any(m.offset >= 20 for m in batch.messages):
            raise BadMessage(ReasonCode.UNDECODABLE, "no Avro")

    handler = Recorder(bad)
    settings = FAST.model_copy(update={"dead_letter_window": 10, "dead_letter_ratio_max": 0.5})
    with pytest.raises(StageStopped, match="dead letters"):
        run(handler, {A: 100}, settings)
    assert len(handler.buried) == 5


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
    Loop(handler, source, FAST, stop).run()
    assert not handler.buried
    assert [offset for _, offset in handler.handled] == list(range(45))
    assert source.torn == 2

"""Resolve: normalized events in; profiles, decisions and messages out, a batch in one ACID transaction.

The order of the steps: claim the position, keep activations out, and what pipeline/resolver.py does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from pipeline import metrics
from pipeline.configuration import load_model, load_policy
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.log import configure, get_logger
from pipeline.normalized_event import Event, decode_event
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.resolver import STAGE, Resolver
from pipeline.settings import Settings
from pipeline.store.activations import Standing, keep_out
from pipeline.store.configurations import InForce
from pipeline.store.database import Database
from pipeline.store.months import Months
from pipeline.store.roles import Role, as_role
from pipeline.stream.batch import Advance, Batch, Message
from pipeline.stream.deadletter import DeadLetters
from pipeline.stream.loop import run
from pipeline.stream.positions import advance
from pipeline.stream.process import calm_gc, stop_on_signals
from schemas.codec import Codec, load_codec

__all__ = ["STAGE", "ResolveStage", "main"]


class ResolveStage:
    """The handler of the resolve loop. One thread, one database connection."""

    stage = STAGE

    def __init__(
        self,
        settings: Settings,
        database: Database,
        ring: KeyRing,
        codec: Codec,
        model: Model,
        policy: Policy,
    ) -> None:
        self.topic = "events.normalized"
        self._database = database
        self._codec = codec
        self._resolver = Resolver(ring, codec, model, policy, settings.record_cache_size)
        self._in_force = InForce(STAGE, model, policy)
        self._months = Months("event")
        self._dead_letters = DeadLetters(STAGE, settings, codec, ring)
        self._ring = ring
        self._activation: int | None = None
        self._ready: dict[int, tuple[Message, Event]] = {}
        """By the message's `id`: an offset may come again in a topic made anew."""

    @property
    def meanwhile(self) -> Callable[[], None]:
        """See `Preparing`."""
        return self._resolver.meanwhile

    @meanwhile.setter
    def meanwhile(self, work: Callable[[], None]) -> None:
        self._resolver.meanwhile = work

    def handle(self, batch: Batch) -> None:
        """Resolve a batch in one transaction. Raises RetryLater, BadMessage, or whatever a poison event causes."""
        self._in_force.ensure(self._database)
        ready, self._ready = self._ready, {}
        events = [
            ready[id(m)][1] if id(m) in ready else decode_event(self._codec, m)
            for m in batch.messages
            if m.value is not None
        ]
        self._months.ensure(self._database, (e.accepted_at for e in events))
        with self._database.transaction() as tx:
            advance(tx, STAGE, batch.positions)
            self._know(keep_out(tx))
            counted = self._resolver.resolve(tx, events)
        counted()  # only what is committed counts

    def _know(self, standing: Standing) -> None:
        """What was remembered of limits holds until a replay is activated; keys that a rotation replaced never come."""
        if standing.activation != self._activation:
            self._resolver.forget_limits()
        self._activation = standing.activation
        self._resolver.versions = standing.keys.known_to(self._ring)

    def prepare(self, messages: Sequence[Message]) -> None:
        """See `Preparing`: decode them."""
        for message in messages:
            if message.value is not None:
                with suppress(Exception):  # raised again when it is its turn
                    self._ready[id(message)] = message, decode_event(self._codec, message)

    def bury(self, message: Message, at: Advance, error: Exception) -> None:
        """Send one message that cannot be processed to the dead letters, and go on behind it."""
        with self._database.transaction() as tx:
            advance(tx, STAGE, (at,))
            self._dead_letters.write(tx, [(message, error)])


def main(settings: Settings) -> None:
    """Run the resolve stage until SIGTERM."""
    configure(settings, STAGE)
    metrics.serve(settings)
    stop = stop_on_signals()
    policy = load_policy(settings)
    with Database(as_role(settings, Role.RESOLVE), STAGE) as database:
        stage = ResolveStage(
            settings, database, load_key_ring(settings), load_codec(settings), load_model(settings), policy
        )
        calm_gc()
        get_logger().info("resolve stage starts", policy=policy.version)
        run(stage, settings, stop)

"""What became of each message to one webhook, written down until it stands: outcome and position in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NoReturn

from consumers.webhooks.threads import Threads
from pipeline import metrics
from pipeline.audit.actions import Action
from pipeline.audit.entry import AuditEntry, named
from pipeline.changes.change import Change, Place
from pipeline.errors import PositionFenced, RetryLater
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction
from pipeline.store.webhooks import Replay, note_delivery, note_replay, stage_of
from pipeline.stream.backoff import Backoff
from pipeline.stream.batch import Advance
from pipeline.stream.positions import advance
from pipeline.webhooks.schedule import Again, Dead, Delivered, Verdict
from pipeline.webhooks.sending import Outcome

_LABELS = {Delivered: "delivered", Again: "failed", Dead: "dead"}


class Disabled(Exception):
    """The webhook is delivered to no more."""


class Books:
    """Of one webhook, whose `position` is stored. Everything waits for Postgres as long as it is away."""

    def __init__(
        self, webhook_id: Id, settings: Settings, threads: Threads, position: Mapping[Place, int]
    ) -> None:
        self._webhook_id = webhook_id
        self._settings = settings
        self._threads = threads
        self._stored = dict(position)

    async def delivery(
        self,
        change: Change,
        outcome: Outcome,
        verdict: Verdict,
        attempts: int,
        at: datetime,
        passed: Mapping[Place, int],
    ) -> None:
        """An attempt to deliver a change, and what was passed on the way to it. Raises PositionFenced, Disabled."""
        moved = dict(passed)
        if not isinstance(verdict, Again):
            moved[change.place] = change.offset + 1

        def write(tx: Transaction) -> bool:
            self._hold(tx)
            self._advance(tx, moved)
            note_delivery(tx, self._webhook_id, new_id(), change, outcome, verdict, attempts, at)
            return self._run(tx, outcome, verdict, at)

        disabled = await self._stands(write)
        self._stored |= moved
        self._told(outcome, verdict, change.id, attempts, disabled)

    async def replay(
        self, replay: Replay, outcome: Outcome, verdict: Verdict, attempts: int, at: datetime
    ) -> None:
        """An attempt to replay a delivery. Raises Disabled."""

        def write(tx: Transaction) -> bool:
            self._hold(tx)
            note_replay(tx, replay, outcome, verdict, attempts, at)
            return self._run(tx, outcome, verdict, at)

        self._told(outcome, verdict, replay.change_id, attempts, await self._stands(write))

    async def advance(self, passed: Mapping[Place, int]) -> None:
        """Messages that were not wanted are gone past. Raises PositionFenced, Disabled."""

        def write(tx: Transaction) -> None:
            self._hold(tx)
            self._advance(tx, passed)

        await self._stands(write)
        self._stored |= passed

    async def disable(self, reason: str) -> NoReturn:
        """Deliver no more until somebody enables it. Raises Disabled."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> None:
            if tx.run("disable_webhook", {"webhook": self._webhook_id, "reason": reason, "at": now}):
                self._tell_disabled(tx, now)

        await self._stands(write)
        self._say_disabled(reason)
        raise Disabled

    def _hold(self, tx: Transaction) -> None:
        if tx.row("hold_webhook", {"webhook": self._webhook_id}) is None:
            raise Disabled

    def _advance(self, tx: Transaction, moved: Mapping[Place, int]) -> None:
        prefix = self._settings.topic_prefix
        moves = [
            Advance(prefix + topic, n, self._stored.get((topic, n)), at)
            for (topic, n), at in moved.items()
            if at != self._stored.get((topic, n))
        ]
        advance(tx, stage_of(self._webhook_id), moves)

    def _run(self, tx: Transaction, outcome: Outcome, verdict: Verdict, at: datetime) -> bool:
        """Count dead deliveries in a row; whether that disabled the webhook."""
        if isinstance(verdict, Delivered):
            tx.run("note_accepted", {"webhook": self._webhook_id})
        if not isinstance(verdict, Dead):
            return False
        parameters = {
            "webhook": self._webhook_id,
            "at": at,
            "at_once": outcome.gone,
            "most": self._settings.webhook_disable_after,
            "reason": self._reason(outcome),
        }
        row = tx.row("note_dead", parameters)
        disabled = row is not None and bool(row[0])
        if disabled:
            self._tell_disabled(tx, at)
        return disabled

    def _tell_disabled(self, tx: Transaction, at: datetime) -> None:
        """In the audit log; why is told by the webhook, as receivers have a say in it."""
        objects = named("webhook", self._webhook_id)
        write_audit(
            tx,
            AuditEntry(Action.WEBHOOK_CHANGED, "webhooks", at, objects=objects, details={"enabled": False}),
        )

    def _reason(self, outcome: Outcome) -> str:
        if outcome.gone:
            return "the receiver says that it wants no more (HTTP 410)"
        most = self._settings.webhook_disable_after
        return f"{most} deliveries in a row failed for good, the last by {outcome.error}"

    async def _stands(self, write: Callable[[Transaction], bool | int | None]) -> bool:
        backoff = Backoff(self._settings)
        while True:
            try:
                return bool(await self._threads.transaction(write))
            except PositionFenced:
                raise
            except RetryLater as exc:
                metrics.RETRIES.labels("webhooks", type(exc).__name__).inc()
                get_logger().warning("trying again", stage="webhooks", error=str(exc))
                await asyncio.sleep(backoff.next())

    def _told(
        self, outcome: Outcome, verdict: Verdict, change_id: str, attempts: int, disabled: bool
    ) -> None:
        metrics.WEBHOOK_ATTEMPTS.labels(_LABELS[type(verdict)]).inc()
        if isinstance(verdict, Dead):
            get_logger().error(
                "a webhook's delivery is dead",
                webhook_id=str(self._webhook_id),
                change_id=change_id,
                attempts=attempts,
                error=outcome.error,
            )
        if disabled:
            self._say_disabled(self._reason(outcome))
            raise Disabled

    def _say_disabled(self, reason: str) -> None:
        get_logger().error("a webhook is disabled", webhook_id=str(self._webhook_id), reason=reason)

"""Where it is looked at what was sent to webhooks, and had sent again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from pipeline.errors import Conflict, NotFound
from pipeline.identity.ids import Id
from pipeline.store.database import Database
from pipeline.store.webhooks import ChosenDeliveries, Delivery, read_webhook


class DeliveryDesk:
    """Deliveries on one connection. Not for use by several threads. Everything raises RetryLater, and NotFound where
    there is no such webhook."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    def listed(
        self, webhook_id: Id, chosen: ChosenDeliveries, limit: int, offset: int = 0
    ) -> tuple[tuple[Delivery, ...], int]:
        """A page of the chosen deliveries, the latest attempt first, and how many there are."""
        parameters = {"webhook": webhook_id, **asdict(chosen)}
        with self._database.transaction() as tx:
            read_webhook(tx, webhook_id)
            rows = tx.rows("read_deliveries", {**parameters, "limit": limit, "offset": offset})
            ((total,),) = tx.rows("count_deliveries", parameters)
        return tuple(Delivery(*row) for row in rows), total

    def found(self, webhook_id: Id, delivery_id: Id) -> tuple[Delivery, bytes]:
        """One delivery, and what is sent. Raises NotFound."""
        with self._database.transaction() as tx:
            row = tx.row("read_delivery", {"webhook": webhook_id, "delivery": delivery_id})
        if row is None:
            raise NotFound(f"no delivery {delivery_id} of webhook {webhook_id}")
        return Delivery(*row[:-1]), row[-1]

    def replay(self, webhook_id: Id, delivery_id: Id) -> None:
        """Send one again that was delivered or is dead. Raises NotFound, and Conflict where it is being tried."""
        found, _ = self.found(webhook_id, delivery_id)
        if not self.replay_many(webhook_id, ChosenDeliveries(), delivery_id=delivery_id):
            raise Conflict(f"it is being tried ({found.status}); nothing is to be replayed")

    def replay_many(
        self,
        webhook_id: Id,
        chosen: ChosenDeliveries,
        *,
        delivery_id: Id | None = None,
        dry_run: bool = False,
    ) -> int:
        """Send those again that were delivered or are dead; how many. Raises Conflict where the webhook is disabled."""
        parameters = {
            "webhook": webhook_id,
            "delivery": delivery_id,
            "dry_run": dry_run,
            "at": self._clock(),
            **asdict(chosen),
        }
        with self._database.transaction() as tx:
            if not read_webhook(tx, webhook_id).enabled:
                raise Conflict("the webhook is disabled; enable it first")
            ((count,),) = tx.rows("replay_deliveries", parameters)
        return int(count)

"""What makes a stage wait: a pause that was written down, looked at now and then."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from pipeline.errors import RetryLater
from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.pauses import open_pauses, pause_stage
from pipeline.store.roles import as_role, role_of

_LOOK_S = 5.0


class Pauses(Protocol):
    """The pauses of one stage."""

    def paused(self) -> str | None:
        """Why the stage is paused, if it is."""

    def soon(self) -> str | None:
        """The same, asked between batches: it may be some seconds old."""

    def pause(self, reason: str) -> None:
        """From now on, for every worker of the stage and whatever becomes of this one. Raises RetryLater."""


class StoredPauses:
    """`Pauses` in Postgres, on a connection for the moment of each look.

    While Postgres is away what was seen last counts: a consumer needs it for nothing else.
    """

    def __init__(self, stage: str, settings: Settings) -> None:
        self._stage = stage
        self._dsn = as_role(settings, role_of(stage))
        self._seen: str | None = None
        self._looked = float("-inf")

    def soon(self) -> str | None:
        """See `Pauses`: seen at most five seconds ago, or tried to."""
        return self._seen if time.monotonic() - self._looked < _LOOK_S else self.paused()

    def paused(self) -> str | None:
        """See `Pauses`."""
        try:
            with Database(self._dsn, f"{self._stage}-pauses") as database, database.transaction() as tx:
                found = {pause.stage: pause.reason for pause in open_pauses(tx)}
        except RetryLater as exc:
            get_logger().warning("pauses could not be looked at", stage=self._stage, error=str(exc))
        else:
            self._seen = found.get(self._stage)
        # behind the attempt: one that waits for its timeout is not due again at once
        self._looked = time.monotonic()
        return self._seen

    def pause(self, reason: str) -> None:
        """See `Pauses`."""
        with Database(self._dsn, f"{self._stage}-pauses") as database, database.transaction() as tx:
            pause_stage(tx, self._stage, reason, datetime.now(UTC))
        self._seen = reason

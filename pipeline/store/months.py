"""Monthly partitions are made before the first row of a month is written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from pipeline.store.database import Database


class Months:
    """Remembers which months of a table exist, so that the database is asked once a month and session."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._known: set[date] = set()
        self._session: object | None = None

    def ensure(self, database: Database, moments: Iterable[datetime]) -> None:
        """Make the partitions for these moments (in UTC) where they are missing, in a transaction of its own."""
        if database.session is not self._session:
            self._known.clear()
        months = {(m.year, m.month) for m in (moment.astimezone(UTC) for moment in moments)}
        missing = sorted({date(year, month, 1) for year, month in months} - self._known)
        if missing:
            with database.transaction() as tx:
                for month in missing:
                    tx.run("ensure_month", (self._table, month))
            self._known.update(missing)
        self._session = database.session

"""Monthly partitions are made before the first row of a month is written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from pipeline.store.database import Database

_LASTING = timedelta(days=28)  # nothing younger than 30 days is due (pipeline/retention/rules.py)


class Months:
    """Remembers which months of a table exist, so that the database is asked once a month and session. Of months that
    ended long ago it asks each time: retention may have dropped them."""

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
            lasting = (datetime.now(UTC) - _LASTING).date().replace(day=1)
            self._known.update(month for month in missing if month >= lasting)
        self._session = database.session

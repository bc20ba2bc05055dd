"""What is due by the rules: counted by month and type, and kept under a name, by which just that is enforced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from pipeline.frozen import freeze, thaw
from pipeline.ids import new_id
from pipeline.retention.rules import NEVER, Ends, Rules
from pipeline.store.database import Database, Transaction
from pipeline.unmerge.outcome import name_of

MOST_CUSTOMERS = 100_000
"""Told of in one plan; the next one tells of the others."""


@dataclass(frozen=True, slots=True)
class Due:
    """Events of a month (YYYYMM) and type: so many go; so many stay, as something rests on them; so many bodies cannot
    be opened any more."""

    month: str
    event_type: str
    events: int
    kept: int
    bodies: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go of what there was at `planned_at` (ISO 8601). `bodies` are those due by their own rule, by month
    (some of them are counted in `due`, too); the months of `event_partitions` and `raw_partitions` are dropped whole;
    `customers` are forgotten."""

    plan_id: str
    planned_at: str
    ends: Ends
    due: tuple[Due, ...]
    bodies: Mapping[str, int]
    event_partitions: tuple[str, ...]
    raw_partitions: tuple[str, ...]
    customers: int

    @property
    def months(self) -> list[str]:
        """The months in which anything is due, the oldest first."""
        named = (*(d.month for d in self.due), *self.bodies, *self.event_partitions, *self.raw_partitions)
        return sorted(set(named))

    def as_json(self) -> str:
        """As it is kept and printed."""
        return orjson.dumps(freeze(self)).decode()

    @classmethod
    def of(cls, kept: object) -> Plan:
        """As it was kept. Raises ConfigurationError."""
        return thaw(cls, kept, "retention_run.plan")


def plan(database: Database, rules: Rules, now: datetime) -> Plan:
    """What is due now; kept, so that it can be enforced by its name. The same while nothing changes but the hour.

    Raises StoreUnavailable.
    """
    with database.snapshot() as tx:
        found = _planned(tx, rules.ends(now), now)
    with database.transaction() as tx:
        tx.run("keep_retention_plan", (found.plan_id, now, found.as_json(), new_id()))
    return found


def _planned(tx: Transaction, ends: Ends, now: datetime) -> Plan:
    asked = {**parameters(ends), "latest": ends.latest}
    customers = (
        () if ends.customers == NEVER else tx.rows("retention_customers", {**asked, "most": MOST_CUSTOMERS})
    )
    found = Plan(
        "",
        now.isoformat(),
        ends,
        tuple(Due(*row) for row in tx.rows("retention_due", asked)),
        dict(tx.rows("retention_bodies", asked)),
        tuple(month for (month,) in tx.rows("retention_event_months", asked)),
        tuple(month for (month,) in tx.rows("retention_raw_months", asked)),
        sum(1 for _ in customers),
    )
    told = replace(found, planned_at="").as_json()
    return replace(found, plan_id=name_of([told]))


def parameters(ends: Ends) -> dict[str, object]:
    """The ends as the queries take them."""
    return {**ends._asdict(), "types": [*ends.types], "ends": [*ends.ends]}

"""Have go what a plan says, in batches of a transaction each: it may end anywhere and is gone on with by the same call.

Events first lose what opens them and are marked in the index, then their rows go: with their whole partition where
nothing of the month stays. What came after the plan was made is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from psycopg import sql as composed

from pipeline.audit.actions import Action
from pipeline.audit.entry import AuditEntry, named
from pipeline.erasure.erase import forget_now
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.frozen import freeze
from pipeline.identity.ids import Id
from pipeline.progress import Progress, silent
from pipeline.reasons import must_say_why
from pipeline.retention.plan import Plan, parameters
from pipeline.retention.rules import NEVER
from pipeline.steward import Stewardship
from pipeline.store.activations import keep_out
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction, sql
from pipeline.unmerge.asked import Asked

BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Report:
    """What a plan said, and what went by it: `done` counts by kind."""

    plan: Plan
    done: Mapping[str, int]
    finished_at: datetime

    def as_json(self) -> str:
        """As it is printed."""
        told = {"plan": freeze(self.plan), "done": dict(self.done), "finished_at": self.finished_at}
        return orjson.dumps(told).decode()


def enforce(by: Stewardship, asked: Asked, progress: Progress = silent, batch: int = BATCH) -> Report:
    """Have go what the plan says that is asked for.

    Raises NotFound (no such plan), Conflict (enforced before), BadInput (a blank reason, or no plan), StoreUnavailable,
    TransactionConflict (a partition was in use for too long; go on with the same call).
    """
    must_say_why(asked.reason)
    if asked.plan is None:
        raise BadInput("plan", "what is due goes as planned only: ask for a plan first, then give its name")
    return _Enforcing(by, asked, asked.plan, batch).all(progress)


class _Enforcing:
    def __init__(self, by: Stewardship, asked: Asked, plan_id: str, batch: int) -> None:
        self._by, self._asked, self._id, self._batch = by, asked, plan_id, batch
        with by.database.transaction() as tx:
            self._plan = self._begun(tx)[0]

    def all(self, progress: Progress) -> Report:
        months = self._plan.months
        self._customers(progress)
        for number, month in enumerate(months):
            progress("months", number, len(months))
            self._events(month)
            self._bodies(month)
        progress("months", len(months), len(months))
        return self._finish()

    def _begun(self, tx: Transaction) -> tuple[Plan, dict[str, int], Id]:
        row = tx.row("retention_run", (self._id,))
        if row is None:
            raise NotFound(f"no plan {self._id}: make one with `retail-brain retention plan`")
        _, plan, done, run, finished = row
        if finished is not None:
            raise Conflict(f"plan {self._id} was enforced at {finished:%Y-%m-%d %H:%M}: make another one")
        return Plan.of(plan), dict(done), run

    def _note(
        self, tx: Transaction, went: Mapping[str, int], finished: datetime | None = None
    ) -> dict[str, int]:
        """Add to what is reported, in the transaction in which it goes."""
        _, done, _ = self._begun(tx)
        for kind, count in went.items():
            done[kind] = done.get(kind, 0) + count
        told = {"plan": self._id, "done": orjson.dumps(done).decode(), "finished": finished}
        tx.run("note_retention", {**told, "actor": self._asked.actor, "reason": self._asked.reason})
        return done

    def _asked_of(self, tx: Transaction, month: str) -> dict[str, object]:
        start = datetime(int(month[:4]), int(month[4:]), 1, tzinfo=UTC)
        end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        bounds = {"start": start, "end": end, "most": self._batch, "run": self._begun(tx)[2]}
        return {**parameters(self._plan.ends), **bounds, "planned": self._plan.planned_at}

    def _customers(self, progress: Progress) -> None:
        """Forgotten as by hand, a receipt each."""
        if self._plan.ends.customers == NEVER:
            return
        asked = {**parameters(self._plan.ends), "most": self._plan.customers}
        with self._by.database.transaction() as tx:
            profiles = [p for (p,) in tx.rows("retention_customers", asked)]
        for number, profile in enumerate(profiles):
            progress("customers", number, len(profiles))
            a = self._asked
            forget_now(self._by, profile, Asked(a.actor, f"retention, plan {self._id}: {a.reason}", a.now))
            with self._by.database.transaction() as tx:
                self._note(tx, {"customers": 1})

    def _events(self, month: str) -> None:
        while self._marked(month):
            pass
        if month in self._plan.event_partitions and self._dropped(f"event_{month}", month, "retention_left"):
            return
        while self._step(month, "retention_delete"):
            pass

    def _marked(self, month: str) -> int:
        with self._by.database.transaction() as tx:
            keep_out(tx)
            events, keys = tx.row("retention_mark", self._asked_of(tx, month)) or (0, 0)
            self._note(tx, {"events": events, "data keys": keys})
        marked: int = events
        return marked

    def _bodies(self, month: str) -> None:
        while self._step(month, "retention_shred", "data keys"):
            pass
        if month in self._plan.raw_partitions:
            self._dropped(f"customer_raw_event_{month}", month, "retention_opens")

    def _step(self, month: str, statement: str, kind: str | None = None) -> int:
        with self._by.database.transaction() as tx:
            keep_out(tx)
            went = tx.run(statement, self._asked_of(tx, month))
            if kind is not None:
                self._note(tx, {kind: went})
        return went

    def _dropped(self, partition: str, month: str, remaining: str) -> bool:
        """Whether the partition went: nothing of it is to stay."""
        with self._by.database.transaction() as tx:
            keep_out(tx)
            tx.run("wait_for_partition")
            if (tx.row(remaining, self._asked_of(tx, month)) or (0,))[0]:
                return False
            query = composed.SQL(sql("drop_month")).format(partition=composed.Identifier(partition))
            tx.connection.execute(query)
            self._note(tx, {"partitions": 1})
        return True

    def _finish(self) -> Report:
        now = datetime.now(UTC)
        with self._by.database.transaction() as tx:
            done = self._note(tx, {}, now)
            a = self._asked
            objects = tuple(named("retention", self._id))
            details = {"done": done, "months": self._plan.months}
            act = Action.RETENTION_ENFORCED
            write_audit(tx, AuditEntry(act, a.actor, now, (), objects, a.reason, a.occasion, details))
        return Report(self._plan, done, now)

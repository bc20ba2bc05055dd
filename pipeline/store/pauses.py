"""Pauses of stages: a stage that must not go on waits until somebody lets it, across restarts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.audit.actions import Action
from pipeline.audit.entry import AuditEntry, named
from pipeline.errors import Conflict
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Pause:
    """A stage that handles nothing, since when, and why."""

    stage: str
    since: datetime
    reason: str

    def __str__(self) -> str:
        """In one line."""
        return f"{self.stage} is paused since {self.since:%Y-%m-%d %H:%M:%S} UTC: {self.reason}"


def pause_stage(tx: Transaction, stage: str, reason: str, at: datetime) -> None:
    """Every worker of the stage handles nothing from now on; where it is paused already nothing changes."""
    if tx.run("pause_stage", {"stage": stage, "since": at, "reason": reason}):
        objects = named("stage", stage)
        write_audit(tx, AuditEntry(Action.STAGE_PAUSED, stage, at, objects=objects, reason=reason))


def open_pauses(tx: Transaction) -> tuple[Pause, ...]:
    """What is paused now, by stage."""
    return tuple(Pause(*row) for row in tx.rows("open_pauses"))


def resume_stage(tx: Transaction, stage: str, actor: str, reason: str, at: datetime) -> Pause:
    """Let a stage go on; returns the pause that ends. Raises Conflict where the stage is not paused."""
    row = tx.row("resume_stage", {"stage": stage, "actor": actor, "reason": reason, "at": at})
    if row is None:
        raise Conflict(f"{stage} is not paused; `retail-brain status` says which stages are")
    objects = named("stage", stage)
    write_audit(tx, AuditEntry(Action.STAGE_RESUMED, actor, at, objects=objects, reason=reason))
    return Pause(*row)

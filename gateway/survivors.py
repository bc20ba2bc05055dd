"""Where an id leads: one that was merged away answers with the profile it was merged into, and every answer says so."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from gateway.store import Reads
from pipeline.errors import NotFound


class Led(NamedTuple):
    """The surviving profile, and the id asked for where that is another."""

    profile_id: UUID
    merged_from: UUID | None


async def led_to(store: Reads, profile_id: UUID) -> Led:
    """The profile an id leads to now. Raises NotFound, StoreUnavailable."""
    rows = await store.rows("read_survivor", {"profile_id": profile_id})
    if not rows:
        raise NotFound("no such profile")
    survivor: UUID = rows[0]["profile_id"]
    return Led(survivor, profile_id if profile_id != survivor else None)

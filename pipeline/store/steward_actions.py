"""The trail of what stewards do: an entry an act, written in the act's own transaction, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import orjson

from pipeline.identity.ids import Id
from pipeline.store.database import Transaction
from pipeline.store.identity_writer import Author


class Deed(StrEnum):
    """What a steward did."""

    APPROVE = "approve"
    REJECT = "reject"
    ASSIGN = "assign"
    SKIP = "skip"
    SPLIT = "split"
    MERGE = "merge"
    ROLLBACK = "rollback"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class Occasion:
    """How an act came to us: in which request, by whose API key, and whether as one of several. Nothing of it where it
    did not come by way of the gateway."""

    request_id: str | None = None
    api_key: str | None = None
    in_bulk: bool = False


UNTOLD = Occasion()


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done. `profiles` are those it was about and those it came to, `merge_logs` the entries of the merge log
    that it undid or wrote."""

    deed: Deed
    profiles: Iterable[Id]
    merge_logs: Iterable[Id] = ()
    review_id: Id | None = None
    details: Mapping[str, object] | None = None


def write_entry(tx: Transaction, entry: Entry, author: Author, occasion: Occasion) -> None:
    """Write it into the trail."""
    tx.run(
        "insert_steward_action",
        {
            "now": author.now,
            "actor": author.actor,
            "act": entry.deed,
            "in_bulk": occasion.in_bulk,
            "review_id": entry.review_id,
            "profiles": sorted(set(entry.profiles)),
            "merge_log_ids": sorted(set(entry.merge_logs)),
            "details": orjson.dumps(entry.details or {}).decode(),
            "reason": author.reason,
            "request_id": occasion.request_id,
            "api_key": occasion.api_key,
        },
    )

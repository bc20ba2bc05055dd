"""What became of a batch's events: the rows that are stored, the messages that tell of it, the metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pipeline import metrics
from pipeline.codes import ReasonCode
from pipeline.identity.ids import Id
from pipeline.identity.model import Created, Linked, Merged, Review, Split
from pipeline.identity.settle import Settlement
from pipeline.matching import Arrival, Found
from pipeline.normalized_event import Event


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a record's events: the decision and the reasons."""

    decision: str
    reasons: tuple[ReasonCode, ...]


NOBODY = Outcome("rejected", (ReasonCode.NO_IDENTITY,))
EVENT_TYPES = (
    "uuid", "uuid", "uuid", "timestamptz", "timestamptz", "timestamptz", "text", "text", "text", "text",
    "float8", "text", "jsonb", "text", "text[]", "text", "text", "text",
)  # fmt: skip


def outcomes_of(
    arrivals: Mapping[Id, Arrival], new: Mapping[Id, Arrival], found: Found, settlement: Settlement
) -> dict[Id, Outcome]:
    """The decision each record's events are stored with."""
    outcomes: dict[Id, Outcome] = {
        r: Outcome("linked", (ReasonCode.KNOWN_RECORD,)) for r in arrivals if r not in new
    }
    sharing = {r for r, _ in found.shared}
    merged = {d.target for d in settlement.decisions if isinstance(d, Merged)}
    for decision in settlement.decisions:
        match decision:
            case Created(records=records):
                kind, reason = "created", ReasonCode.NEW_CUSTOMER
            case Linked(profile_id=profile, records=records, reason=reason):
                kind = "merged" if profile in merged else "linked"
            case Merged() | Split() | Review():
                continue
        for r in records:
            overfull = (ReasonCode.BLOCK_OVERFULL,) if r in found.overfull else ()
            shared = (ReasonCode.SHARED_IDENTIFIER,) if r in sharing else ()
            outcomes[r] = Outcome(kind, (reason, *overfull, *shared))
    return outcomes


def event_row(
    event: Event, decision: str, reasons: Sequence[str], committed_at: datetime
) -> tuple[object, ...]:
    """The row of an event, for columns of `EVENT_TYPES`."""
    f = event.fields
    order = cast(Mapping[str, object] | None, f["order"])
    return (
        event.event_id, event.raw_id, event.record_id, event.occurred_at, event.accepted_at, committed_at,
        event.source, f["event_type"], f["channel"], f["store"],
        order["amount"] if order else None, order["currency"] if order else None,
        (_items(order) or None) if order else None,
        decision, reasons, f["source_record_id"], f["request_id"], f["correlation_id"],
    )  # fmt: skip


def _items(order: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The items as they are stored: a category where there is one, so that items without are what they always were
    and a replay does not take them for changed."""
    return [
        i if i["category"] is not None else {"sku": i["sku"], "quantity": i["quantity"], "price": i["price"]}
        for i in cast(Sequence[Mapping[str, object]], order["items"])
    ]


def linked_event(
    event: Event, home: str, version: int, decision: str, reasons: Sequence[str], committed_at: datetime
) -> Mapping[str, object]:
    """The message on events.linked of an event that names somebody, whose profile is `home`."""
    f = event.fields
    return {
        "event_id": f["event_id"],
        "profile_id": home,
        "profile_version": version,
        "record_id": cast(Mapping[str, object], f["record"])["record_id"],
        "decision": decision,
        "source": event.source,
        "event_type": f["event_type"],
        "occurred_at": event.occurred_at,
        "accepted_at": event.accepted_at,
        "committed_at": committed_at,
        "request_id": f["request_id"],
        "correlation_id": f["correlation_id"],
        "reasons": reasons,
        "channel": f["channel"],
        "store": f["store"],
        "order": f["order"],
    }


def count(
    events: Sequence[Event],
    found: Found,
    settlement: Settlement,
    outcomes: Mapping[Id, Outcome],
    reviews: int,
) -> None:
    """Count what was committed."""
    now = time.time()
    for event in events:
        metrics.ACCEPTED_TO_COMMITTED.observe(max(0.0, now - event.accepted_at.timestamp()))
    metrics.EVENTS_RESOLVED.inc(len(events))
    metrics.COMPARISONS.inc(found.compared)
    # counted here first: finding a label takes longer than all else
    decisions: Counter[tuple[str, str]] = Counter((o.decision, o.reasons[0]) for o in outcomes.values())
    for decision in settlement.decisions:
        if isinstance(decision, Merged):
            decisions["merged", "profiles"] += 1
        elif isinstance(decision, Split):
            decisions["split", decision.reason] += 1
        else:
            assert isinstance(decision, Linked | Created)
    decisions["split_proposed", ReasonCode.MERGE_NO_LONGER_HOLDS] += sum(settlement.held.values())
    for labels, times in (+decisions).items():
        metrics.DECISIONS.labels(*labels).inc(times)
    for kind, times in Counter(key.kind for keys in found.overfull.values() for key in keys).items():
        metrics.KEYS_SKIPPED.labels(kind.name.lower()).inc(times)
    for worn in found.crossed:
        metrics.KEYS_WORN.labels(worn.kind, worn.reason, str(worn.step)).inc()
    metrics.EVIDENCE_DROPPED.inc(len(found.dropped))
    metrics.REVIEW_CHANGES.inc(reviews)

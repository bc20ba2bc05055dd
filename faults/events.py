"""Nothing lost, nothing doubled: every event stored, claimed and linked once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from faults.finding import Finding, FindingKind
from pipeline.store.database import Transaction


class Link(NamedTuple):
    """What a message of events.linked says. Repeats of it say the same."""

    profile: str
    record: str
    decision: str

    def __str__(self) -> str:
        """As a finding shows it."""
        return f"profile {self.profile} record {self.record} decision {self.decision}"


Links = Mapping[str, frozenset[Link]]


def event_findings(tx: Transaction, acknowledged: Iterable[str | UUID], links: Links) -> Iterator[Finding]:
    """Acknowledged events that are not stored once and linked once; and events nobody acknowledged that are by half.

    An event whose acknowledgement got lost may be there or not, but has to be there whole.
    """
    ids = sorted({str(UUID(str(event))) for event in acknowledged})
    left = dict(links)
    for event, was_acknowledged, rows, record, decision, claimed, claim, record_there in tx.rows(
        "faults_events", (ids,)
    ):
        subject = f"event {event}" + ("" if was_acknowledged else " (not acknowledged)")
        said = left.pop(event, frozenset[Link]())
        if rows == 0:
            yield Finding(FindingKind.EVENT_NOT_STORED, subject, "no row", "one row")
        if rows > 1:
            yield Finding(FindingKind.EVENT_STORED_AGAIN, subject, f"{rows} rows", "one row")
        if not claimed:
            yield Finding(FindingKind.EVENT_NOT_CLAIMED, subject, "not in event_index", "claimed once")
        if rows == 0:
            continue
        if claimed and claim != record:
            yield Finding(FindingKind.CLAIM_DIFFERS, subject, f"record {claim}", f"record {record}")
        if not record_there:
            yield Finding(FindingKind.RECORD_MISSING, subject, f"no record {record}", "the record it names")
        yield from _linked(subject, record, decision, said)
    for event in left:
        yield Finding(FindingKind.EVENT_NOT_STORED, f"event {event}", "linked, and no row", "one row")


def _linked(subject: str, record: str | None, decision: str, said: frozenset[Link]) -> Iterator[Finding]:
    if record is None:
        if said:
            yield Finding(FindingKind.LINKED_DIFFERS, subject, _all(said), "no link: it names nobody")
    elif not said:
        yield Finding(
            FindingKind.EVENT_NOT_LINKED, subject, "no message on events.linked", f"record {record}"
        )
    elif len(said) > 1:
        yield Finding(FindingKind.LINKED_DIFFERS, subject, _all(said), "one profile, record and decision")
    elif any((link.record, link.decision) != (record, decision) for link in said):
        expected = f"record {record} decision {decision}"
        yield Finding(FindingKind.LINKED_DIFFERS, subject, _all(said), expected)


def _all(said: frozenset[Link]) -> str:
    return " and ".join(sorted(map(str, said)))

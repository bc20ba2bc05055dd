"""The golden record: for each attribute the record whose value stands for the customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pipeline.identity.model import GoldenRecord, IdentifierType, IdentityRecord, RecordActivity, Trait
from pipeline.identity.policy import Policy

_ADDRESS = (
    Trait.STREET,
    Trait.STREET_NUMBER,
    Trait.UNIT,
    Trait.CITY,
    Trait.STATE,
    Trait.POSTCODE,
    Trait.COUNTRY,
)
_NAME = (Trait.FIRST_NAME, Trait.MIDDLE_NAME, Trait.LAST_NAME, Trait.NAME_SUFFIX)

Rank = tuple[int, int, datetime, UUID]


def golden_record(records: Sequence[tuple[IdentityRecord, RecordActivity]], policy: Policy) -> GoldenRecord:
    """The winner of each trait and identifier type: by trust of its source, completeness, last seen, record id.

    Completeness counts the parts a record gives of what belongs together (an address, a name), so a golden address
    is not patched together from two homes where one record holds it whole. A full name beats an initial.
    """
    ranked = [(record, _rank(activity, policy), record.record_id) for record, activity in records]
    winners: dict[str, UUID] = {}
    for trait in Trait:
        offers = [
            ((trust, _completeness(record, trait), seen, record_id), record_id)
            for record, (trust, seen), record_id in ranked
            if trait in record.traits
        ]
        if offers:
            winners[trait.value] = max(offers)[1]
    for kind in IdentifierType:
        held = [
            ((trust, len(record.identifiers), seen, record_id), record_id)
            for record, (trust, seen), record_id in ranked
            if any(i.type is kind for i in record.identifiers)
        ]
        if held:
            winners[kind.value] = max(held)[1]
    return GoldenRecord(winners)


def _rank(activity: RecordActivity, policy: Policy) -> tuple[int, datetime]:
    return max(
        (policy.trust(s) for s in activity.sources), default=policy.default_source_trust
    ), activity.last_seen


def _completeness(record: IdentityRecord, trait: Trait) -> int:
    value = record.traits[trait]
    if len(value) == 1 and trait in _NAME:
        return -1
    if trait is Trait.DATE_OF_BIRTH:
        return 0 if "|" in value else 1
    group = _ADDRESS if trait in _ADDRESS else _NAME if trait in _NAME else (trait,)
    return sum(t in record.traits for t in group)

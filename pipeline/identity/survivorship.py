"""The golden record: for each attribute the record whose value stands for the customer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from pipeline.identity.model import GoldenRecord, IdentifierType, IdentityRecord, RecordActivity, Trait
from pipeline.identity.policy import Policy

_ADDRESS = frozenset(
    (
        Trait.STREET,
        Trait.STREET_NUMBER,
        Trait.UNIT,
        Trait.CITY,
        Trait.STATE,
        Trait.POSTCODE,
        Trait.COUNTRY,
    )
)
_NAME = frozenset((Trait.FIRST_NAME, Trait.MIDDLE_NAME, Trait.LAST_NAME, Trait.NAME_SUFFIX))

Rank = tuple[int, int, datetime, UUID]

_NAMES: dict[str, str] = {**{t: t.value for t in Trait}, **{k: k.value for k in IdentifierType}}


def golden_record(records: Sequence[tuple[IdentityRecord, RecordActivity]], policy: Policy) -> GoldenRecord:
    """The winner of each trait and identifier type: by trust of its source, completeness, last seen, record id.

    Completeness counts the parts a record gives of what belongs together (an address, a name), so a golden address
    is not patched together from two homes where one record holds it whole. A full name beats an initial.
    """
    if len(records) == 1:  # most customers have one record, which wins wherever it says anything
        record = records[0][0]
        given = [*record.traits, *(i.type for i in record.identifiers)]
        return GoldenRecord(dict.fromkeys([_NAMES[g] for g in given], record.record_id))
    best: dict[str, Rank] = {}
    for record, activity in records:
        for attribute, offer in _offers(record, activity, policy):
            if attribute not in best or offer > best[attribute]:
                best[attribute] = offer
    return GoldenRecord({attribute: winner for attribute, (_, _, _, winner) in best.items()})


def _offers(record: IdentityRecord, activity: RecordActivity, policy: Policy) -> Iterator[tuple[str, Rank]]:
    """What a record has to say, and how far it is to be heard."""
    trust = max((policy.trust(s) for s in activity.sources), default=policy.default_source_trust)
    seen, own_id, traits = activity.last_seen, record.record_id, record.traits
    address, name = len(_ADDRESS & traits.keys()), len(_NAME & traits.keys())
    for trait, value in traits.items():
        if trait in _NAME:
            completeness = -1 if len(value) == 1 else name
        elif trait is Trait.DATE_OF_BIRTH:
            completeness = 0 if "|" in value else 1
        else:
            completeness = address if trait in _ADDRESS else 1
        yield _NAMES[trait], (trust, completeness, seen, own_id)
    for kind in {i.type for i in record.identifiers}:
        yield _NAMES[kind], (trust, len(record.identifiers), seen, own_id)

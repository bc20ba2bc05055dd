"""The golden record: for each attribute the record whose value stands for the customer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from pipeline.identity.ids import Id
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

_NAMES: dict[str, str] = {**{t: t.value for t in Trait}, **{k: k.value for k in IdentifierType}}


class _Offer(NamedTuple):
    """What a record says of an attribute; the greatest wins."""

    trust: int
    completeness: int
    seen: datetime
    record_id: Id
    value: object


def golden_record(records: Sequence[tuple[IdentityRecord, RecordActivity]], policy: Policy) -> GoldenRecord:
    """The winner of each trait and identifier type: by trust of its source, completeness, last seen, record id.

    Completeness counts the parts a record gives of what belongs together (an address, a name), so a golden address
    is not patched together from two homes where one record holds it whole. A full name beats an initial. Where
    several records give the best value, it does not count which of them was seen last or by whom: a customer who
    comes back on one device after the other stays as golden as before.
    """
    if len(records) == 1:  # most customers have one record, which wins wherever it says anything
        record = records[0][0]
        given = [*record.traits, *(i.type for i in record.identifiers)]
        return GoldenRecord(dict.fromkeys([_NAMES[g] for g in given], record.record_id))
    offers: defaultdict[str, list[_Offer]] = defaultdict(list)
    for record, activity in records:
        for attribute, offer in _offers(record, activity, policy):
            offers[attribute].append(offer)
    return GoldenRecord(
        {attribute: _winner(given) for attribute, given in offers.items()},
        any(o.value != given[0].value for given in offers.values() for o in given),
    )


def _winner(offers: Sequence[_Offer]) -> Id:
    value = max(offers, key=_rank).value
    return max((o.completeness, o.record_id) for o in offers if o.value == value)[1]


def _rank(offer: _Offer) -> tuple[int, int, datetime, Id]:
    return offer[:4]


def _offers(record: IdentityRecord, activity: RecordActivity, policy: Policy) -> Iterator[tuple[str, _Offer]]:
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
        yield _NAMES[trait], _Offer(trust, completeness, seen, own_id, value)
    held: defaultdict[IdentifierType, list[str]] = defaultdict(list)
    for kind, identifier in record.identifiers:
        held[kind].append(identifier)
    for kind, values in held.items():
        yield _NAMES[kind], _Offer(trust, len(record.identifiers), seen, own_id, tuple(values))

"""The golden record: for each attribute the record whose value stands for the customer, and why it is that one.

Where the records of a customer agree there is nothing to choose. Where they differ, the policy's criteria decide in
the policy's order, the attribute's own before its group's before the default:

* trust: how far the sources that sent the record are believed;
* frequency: how many records say the value. Records, not events: who comes often is not right more often;
* completeness: how much of what belongs together the record gives; an initial gives least, and so does a date that
  is ambiguous or known in part;
* recency: when the record was last seen.

Then, of spellings of one value the commonest stands, so that a slip of the pen does not win by being the latest; and in
place of a date of birth that is known in part the most complete one that it may be. An address is chosen as a whole:
what one record says of a home is not completed by what others say of another home.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA

from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Criterion,
    GoldenRecord,
    IdentifierType,
    IdentityRecord,
    RecordActivity,
    Trait,
)
from pipeline.identity.partial_dates import fits, precision
from pipeline.identity.policy import ADDRESS, NAME, Policy

_NAMES: dict[str, str] = {**{t: t.value for t in Trait}, **{k: k.value for k in IdentifierType}}
_SPELT = NAME | {Trait.STREET, Trait.CITY, Trait.EMPLOYER, Trait.ORGANISATION, IdentifierType.EMAIL}
"""Attributes with slips of the pen; two ids that differ in one sign are two ids."""
_BORN = Trait.DATE_OF_BIRTH.value
_IDENTIFIERS = frozenset(kind.value for kind in IdentifierType)

_SHORTEST_SPELLING, _LONG_SPELLING = 4, 8
_SIMILAR_STREET = 0.75

Value = str | tuple[str, ...]
Records = Sequence[tuple[IdentityRecord, RecordActivity]]
_Said = Mapping[str, Sequence[tuple[IdentityRecord, RecordActivity, Value]]]
"""What the records say of each attribute."""


class _Offer(NamedTuple):
    """What a record says of an attribute, and how far it is to be heard. The order of the members is that of Criterion.

    `frequency` is 0 for a value that is none of its own (an initial, an ambiguous or partial date). `parts`: of all
    that belongs together, how much the record gives.
    """

    trust: int
    frequency: int
    completeness: int
    recency: datetime
    record_id: Id
    value: Value
    parts: int


class Choice(NamedTuple):
    """Why a record won an attribute. `by` is a criterion, or agreed, spelling or record_id (all else being equal)."""

    record_id: Id
    by: str


def golden_record(records: Records, policy: Policy) -> GoldenRecord:
    """The winner of each trait and identifier type.

    Where several records give the value that won, the one that says most of what belongs together is named, then the
    greatest id: it does not count which of them was seen last or by whom. A customer who comes back on one device
    after the other stays as golden as before.
    """
    if len(records) == 1:  # most customers have one record, which wins wherever it says anything
        record = records[0][0]
        given = [*record.traits, *(i.type for i in record.identifiers)]
        return GoldenRecord(dict.fromkeys([_NAMES[g] for g in given], record.record_id))
    said = _said(records)
    contested = _contested(said)
    winners = {
        attribute: max(
            (_completeness(attribute, value, record)[1], record.record_id) for record, _, value in values
        )[1]
        for attribute, values in said.items()
        if attribute not in contested
    }
    for attribute, _, heard in _contests(records, said, policy, contested) if contested else ():
        if heard:
            named = _for_the_winner(attribute, heard, policy)
            winners[attribute] = max((o.parts, o.record_id) for o in named)[1]
    return GoldenRecord(winners, bool(contested))


def choices(records: Records, policy: Policy) -> dict[str, Choice]:
    """Each attribute's winning record and what decided for its value; for people and the API to read."""
    golden = golden_record(records, policy).winners
    said = _said(records) if len(records) > 1 else {}
    contested = _contested(said)
    why = {
        attribute: Choice(winner, "agreed")
        for attribute, winner in golden.items()
        if attribute not in contested
    }
    for attribute, offers, heard in _contests(records, said, policy, contested) if contested else ():
        if heard:
            why[attribute] = Choice(golden[attribute], _decided_by(attribute, offers, heard, policy))
    return why


def _contested(said: _Said) -> Set[str]:
    """The attributes of which the records say different things; of a home, which is chosen as a whole, all."""
    found = {a for a, values in said.items() if any(value != values[0][2] for *_, value in values)}
    return found | ADDRESS if found & ADDRESS else found


def _contests(
    records: Records, said: _Said, policy: Policy, attributes: Set[str]
) -> Iterator[tuple[str, list[_Offer], list[_Offer]]]:
    """Each of the attributes with all offers for it, and those that may win: of an address, those of one home."""
    counted = {
        attribute: _counted([_offer(attribute, *told, policy) for told in values])
        for attribute, values in said.items()
        if attribute in attributes
    }
    home = _home(records, counted, policy)
    for attribute, offers in counted.items():
        yield (
            attribute,
            offers,
            [o for o in offers if o.record_id in home] if attribute in ADDRESS else offers,
        )


def _counted(offers: list[_Offer]) -> list[_Offer]:
    """Offers with the number of records that say their value, where there is more than one value."""
    counts = Counter(o.value for o in offers)
    if len(counts) == 1:
        return offers
    return [o if o.completeness < 0 else o._replace(frequency=counts[o.value]) for o in offers]


def _for_the_winner(attribute: str, offers: Sequence[_Offer], policy: Policy) -> Sequence[_Offer]:
    """The offers of the value that wins."""
    value = offers[0].value
    if all(o.value == value for o in offers):
        return offers
    rank = _rank(policy.criteria(attribute))
    best = max(offers, key=rank)
    if attribute in _SPELT:
        spellings = [o for o in offers if o.trust == best.trust and _is_spelling(o.value, best.value)]
        best = max(spellings, key=lambda o: (o.frequency, rank(o)))
    elif attribute == _BORN:
        dates = [o for o in offers if o is best or fits(str(best.value), str(o.value))]
        best = max(dates, key=lambda o: (o.completeness, rank(o)))
    return [o for o in offers if o.value == best.value]


def _decided_by(attribute: str, offers: Sequence[_Offer], heard: Sequence[_Offer], policy: Policy) -> str:
    winning = _for_the_winner(attribute, heard, policy)
    value = winning[0].value
    if all(o.value == value for o in offers):
        return "agreed"
    order = policy.criteria(attribute)
    rank = _rank(order)
    rivals = [o for o in heard if o.value != value] or [o for o in offers if o.value != value]
    best, rival = max(winning, key=rank), max(rivals, key=rank)
    if rank(best) < rank(rival) and rival in heard:
        return "spelling" if attribute in _SPELT else Criterion.COMPLETENESS.name.lower()
    return next((c.name.lower() for c in order if best[c] != rival[c]), "record_id")


@lru_cache(maxsize=64)
def _rank(criteria: tuple[Criterion, ...]) -> Callable[[_Offer], tuple[object, ...]]:
    """The greatest wins; the record's id decides where all else is equal."""
    at = (*criteria, _Offer._fields.index("record_id"))
    return lambda offer: tuple([offer[n] for n in at])


def _said(records: Records) -> _Said:
    said: defaultdict[str, list[tuple[IdentityRecord, RecordActivity, Value]]] = defaultdict(list)
    for record, activity in records:
        for attribute, value in _values(record):
            said[attribute].append((record, activity, value))
    return said


def _values(record: IdentityRecord) -> Iterator[tuple[str, Value]]:
    for trait, value in record.traits.items():
        yield _NAMES[trait], value
    held: dict[IdentifierType, Value] = {}
    for kind, identifier in record.identifiers:
        before = held.get(kind, ())
        held[kind] = (
            identifier if not before else (*((before,) if isinstance(before, str) else before), identifier)
        )
    for kind, values in held.items():
        yield _NAMES[kind], values


def _offer(
    attribute: str, record: IdentityRecord, activity: RecordActivity, value: Value, policy: Policy
) -> _Offer:
    completeness, parts = _completeness(attribute, value, record)
    trust = _trust(attribute, activity, policy)
    return _Offer(trust, 0, completeness, activity.last_seen, record.record_id, value, parts)


def _completeness(attribute: str, value: Value, record: IdentityRecord) -> tuple[int, int]:
    """How complete the value is, and how much of what belongs together the record gives. A negative completeness: a
    value that is none of its own."""
    traits = record.traits
    if attribute in NAME:
        names = -1 if len(value) == 1 else len(NAME & traits.keys())
        return names, names
    if attribute in ADDRESS:
        return _is_whole(traits), len(ADDRESS & traits.keys())
    if attribute == _BORN:
        whole = precision(str(value))
        return whole, whole
    count = len(record.identifiers) if attribute in _IDENTIFIERS else 1
    return count, count


def _trust(attribute: str, activity: RecordActivity, policy: Policy) -> int:
    return max(
        (policy.trust(source, attribute) for source in activity.sources), default=policy.default_source_trust
    )


def _is_whole(traits: Mapping[Trait, str]) -> int:
    """1 for an address that a letter would reach, 0 for less."""
    return int(Trait.STREET in traits and (Trait.CITY in traits or Trait.POSTCODE in traits))


def _home(records: Records, offers: Mapping[str, list[_Offer]], policy: Policy) -> frozenset[Id]:
    """The records that speak of the home whose record ranks highest, and those that do not speak against it."""
    traits = {record.record_id: record.traits for record, _ in records}
    told = [o for attribute in sorted(ADDRESS & offers.keys()) for o in offers[attribute]]
    if all(o.frequency == 0 for o in told):  # not counted: nobody differs
        return frozenset(traits)
    same = Counter(map(_address, traits.values()))
    rank = _rank(policy.criteria("address"))
    best = max(told, key=lambda o: rank(o._replace(frequency=same[_address(traits[o.record_id])])))
    own = traits[best.record_id]
    return frozenset(r for r, other in traits.items() if _is_same_home(own, other))


def _address(traits: Mapping[Trait, str]) -> tuple[str, ...]:
    return tuple(sorted(value for trait, value in traits.items() if trait in ADDRESS))


def _is_same_home(a: Mapping[Trait, str], b: Mapping[Trait, str]) -> bool:
    def differ(traits: Iterable[Trait]) -> list[bool]:
        return [a[t] != b[t] for t in traits if t in a and t in b]

    street, other = a.get(Trait.STREET), b.get(Trait.STREET)
    if street and other and OSA.normalized_similarity(street, other) < _SIMILAR_STREET:
        return False
    if any(differ((Trait.STREET_NUMBER, Trait.UNIT))):
        return False
    place = differ((Trait.CITY, Trait.POSTCODE))
    return not place or not all(place)


def _is_spelling(value: Value, other: Value) -> bool:
    """True for one word with one stroke apart, two in long ones."""
    if value == other:
        return True
    if not isinstance(value, str) or not isinstance(other, str):
        return False
    shorter = min(len(value), len(other))
    if shorter < _SHORTEST_SPELLING:
        return False
    most = 2 if shorter >= _LONG_SPELLING else 1
    return OSA.distance(value, other, score_cutoff=most) <= most

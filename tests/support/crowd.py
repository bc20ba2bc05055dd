"""A made-up crowd whose truth is known: people with several records each, some with slips, some in households."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord, MatchKey
from tests.support.people import model, person

UNHEARD_OF = ("Quillfeather", "Brambleby")
"""Surnames that no list of names has and that every tenth person bears."""

_STREETS = [
    f"{tree} {way}"
    for tree in ("Oak", "Mill", "High", "Park", "Rose")
    for way in ("Road", "Lane", "Way", "Hill")
]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Records by id, and whose each is."""

    records: dict[Id, tuple[IdentityRecord, tuple[MatchKey, ...]]]
    person_of: dict[Id, int]


def crowd(people: int, seed: int = 1, *, wrong_birth: float = 0.02) -> Crowd:
    """Two records a person, the second by another channel; every fourth person shares home and surname with the one
    before. `wrong_birth` is the share of second records with a date of birth that is quite another."""
    draw = Random(seed)
    records: dict[Id, tuple[IdentityRecord, tuple[MatchKey, ...]]] = {}
    person_of: dict[Id, int] = {}
    home: dict[str, str] = {}
    first, last = (
        [n for n in sorted(of.bits) if len(n) > 3] for of in (model().given_names, model().surnames)
    )
    for number in range(people):
        if number % 4 != 3:
            home = {
                "last_name": draw.choice(UNHEARD_OF if draw.random() < 0.1 else last),
                "street": draw.choice(_STREETS),
                "street_number": str(draw.randint(1, 200)),
                "postcode": f"{draw.randint(10000, 99999)}",
            }
        traits = {**home, "first_name": draw.choice(first), "date_of_birth": _birth(draw)}
        again = dict(traits)
        if draw.random() < wrong_birth:
            again["date_of_birth"] = _birth(draw)
        if draw.random() < 0.1:
            again["first_name"] = again["first_name"][:-1] + "x"
        for identifiers, said in (
            ({"email": f"{draw.randbytes(5).hex()}@example.com"}, traits),
            ({"phone": f"+1415{draw.randint(2000000, 9999999)}"}, again),
        ):
            made = person(identifiers, **said)
            records[made.record_id] = made.arrival.record, made.arrival.keys
            person_of[made.record_id] = number
    return Crowd(records, person_of)


def _birth(draw: Random) -> str:
    return f"{draw.randint(1930, 2005)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"

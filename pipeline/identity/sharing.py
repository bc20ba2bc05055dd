"""How many people share an identifier, and what agreement on it is still worth.

A value that n people hold is as good as 1 / n of one that a single person holds: log2(n) bits less (term frequency:
Winkler 1988). Both the count and the loss are functions of the set of records that hold the value, never of how they
are divided among profiles, so the order of arrival cannot matter. The loss moves in steps, at once, twice, four and
eight times the policy's `customers_per_identifier`: what rests on the value is judged again so many times and no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from math import inf, log2
from string import ascii_lowercase
from typing import NamedTuple

from pipeline.identity.blocking import sound
from pipeline.identity.hashing import keyed_number
from pipeline.identity.model import Identifier, IdentifierType, Trait
from pipeline.identity.policy import Policy

OVERFULL = 4
"""The last step: the key is skipped, and agreement on the identifier says nothing."""

_PHONE, _WHATSAPP = IdentifierType.PHONE, IdentifierType.WHATSAPP
_FIRST, _LAST, _ORGANISATION = Trait.FIRST_NAME, Trait.LAST_NAME, Trait.ORGANISATION


class Person(NamedTuple):
    """Whom a record is about, coarsely: the sound of the surname and the given name's initial. 0 or "" is not given.

    Coarse on purpose: initials, nicknames of one letter and misspellings of one person must not count as several.
    """

    surname: str | int
    initial: str | int


def person(traits: Mapping[Trait, str]) -> Person:
    """Whom these traits name, in the clear; a firm by the first word of its name, which short forms keep."""
    family = traits.get(_LAST) or traits.get(_ORGANISATION, "").partition(" ")[0]
    return Person(sound(family) if family else "", traits.get(_FIRST, "")[:1])


def person_tag(traits: Mapping[Trait, str], secret: bytes) -> int:
    """The same as a keyed hash of 31 bits: 23 of the surname, 8 of the initial. 0 names nobody.

    Two people may have one tag (one time in 8 million for surnames; two letters from a to z never): then an identifier
    counts as shared by one less.
    """
    surname, initial = person(traits)
    if not surname and not initial:
        return 0
    family = keyed_number(secret, "surname", f"{surname}") % 0x7FFFFF + 1 if surname else 0
    return family << 8 | (_initial(f"{initial}", secret) if initial else 0)


@lru_cache(maxsize=4096)
def _initial(initial: str, secret: bytes) -> int:
    """Letters a to z are dealt 1 to 26 in an order that the secret tells; any other is hashed to 27 to 255."""
    if initial in ascii_lowercase:
        dealt = sorted(ascii_lowercase, key=lambda letter: keyed_number(secret, "initial", letter))
        return dealt.index(initial) + 1
    return 27 + keyed_number(secret, "initial", initial) % 229


def of_tag(tag: int) -> Person:
    """The two halves of a tag."""
    return Person(tag >> 8, tag & 0xFF)


def people(named: Iterable[Person]) -> int:
    """How many people bear these names, at least: by surname and initial, or by initial alone where that makes more.

    Who gives one name only may be somebody who gave both. The count never falls when a name comes to it.
    """
    families: defaultdict[str | int, set[str | int]] = defaultdict(set)
    initials: set[str | int] = set()
    for surname, initial in named:
        found = families[surname] if surname else initials
        if initial:
            found.add(initial)
            initials.add(initial)
    return max(sum(max(1, len(found)) for found in families.values()), len(initials))


def meeting(identifier: Identifier) -> Identifier:
    """The identifier it meets under: a WhatsApp account is a phone line."""
    return Identifier(_PHONE, identifier.value) if identifier.type is _WHATSAPP else identifier


def sharing_limit(kind: IdentifierType, policy: Policy) -> int:
    """How many people may share such an identifier; of phone and WhatsApp account, which are one line, the fewer."""
    limit = policy.identifiers[kind].customers_per_identifier
    if kind is _PHONE or kind is _WHATSAPP:
        other = _WHATSAPP if kind is _PHONE else _PHONE
        return min(limit, policy.identifiers[other].customers_per_identifier)
    return limit


def step_of(count: int, limit: int) -> int:
    """The step that so many people have reached: 0 up to the limit, `OVERFULL` from eight times the limit on."""
    step = 0
    while step < OVERFULL and count > limit << step:
        step += 1
    return step


def bits_lost(step: int, limit: int) -> float:
    """What agreement loses at a step: log2 of the most people it stands for; everything at the last one."""
    if step == 0:
        return 0.0
    return inf if step >= OVERFULL else log2(limit << step)


def shared_of(
    identifiers: Collection[Identifier], lost: Mapping[Identifier, float]
) -> tuple[tuple[Identifier, float], ...]:
    """Those of a record's identifiers that are shared, as they meet, and the bits that each has lost."""
    met = sorted({meeting(i) for i in identifiers})
    return tuple((i, lost[i]) for i in met if i in lost)

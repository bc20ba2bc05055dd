"""Which pairs that share a match key are worth a comparison (meta-blocking: Papadakis et al. 2014).

A pair is judged before anything is opened, by the kinds of keys alone: those the two share speak for it, and each
attribute that both have and that gave no key in common speaks against it. Ann from Leeds and Ann from Leeds are
compared where little else is known of them, but not where date of birth, address and e-mail are known and all differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.identity.model import MatchKey, MatchKeyKind

_Kind = MatchKeyKind
_AGAINST = tuple(
    sum(1 << kind for kind in kinds)
    for kinds in (
        (_Kind.DATE_OF_BIRTH,),
        (_Kind.EMAIL_USER, _Kind.EMAIL_LETTERS),
        (_Kind.PHONE_TAIL,),
        (_Kind.NAMES, _Kind.NAME_LETTERS, _Kind.NAME_BEGINNINGS),
        (_Kind.ADDRESS, _Kind.SURNAME_ADDRESS),
        (_Kind.NATIONAL_ID,),
    )
)
"""The attributes, each as the kinds of keys that come of it."""

_FOR = tuple(
    (sum(1 << kind for kind in kinds), outweighed)
    for kinds, outweighed in (
        ((_Kind.NAME, _Kind.NAME_SPELLING), 3),
        ((_Kind.CITY_YEAR,), 3),
        ((_Kind.NAMES, _Kind.NAME_LETTERS, _Kind.NAME_BEGINNINGS), 3),
        ((_Kind.NAME_CITY,), 3),
        ((_Kind.NAME_STREET,), 3),
        ((_Kind.SURNAME_ADDRESS,), 3),
        ((_Kind.DATE_OF_BIRTH,), 4),
        ((_Kind.EMAIL_NAME,), 4),
        ((_Kind.EMAIL_DOMAIN,), 4),
    )
)
"""Kinds of keys that strangers share often, those together that tell the same, and how many attributes must speak
against a pair to outweigh one of them. Any other kind is enough by itself.
"""

_OFTEN_SHARED = sum(kinds for kinds, _ in _FOR)
_NAME = 1 << _Kind.NAME | 1 << _Kind.NAME_SPELLING
_NAME_AND_PLACE = 1 << _Kind.NAME_CITY | 1 << _Kind.NAME_STREET
"""Who shares one of these shares the name in it as well: it speaks once."""


def kinds_of(keys: Iterable[MatchKey]) -> int:
    """The kinds of a record's keys as a bit set: bit n is kind n."""
    found = 0
    for key in keys:
        found |= 1 << key.kind
    return found


@lru_cache(maxsize=65_536)
def worth_comparing(shared: int, both: int) -> bool:
    """Whether two records are candidates. Bit sets of kinds: of the keys they share, and of those both have."""
    return bool(all_worth_comparing(np.array([shared]), np.array([both]))[0])


def all_worth_comparing(shared: NDArray[np.int64], both: NDArray[np.int64]) -> NDArray[np.bool_]:
    """`worth_comparing` of many pairs, arrays of one length."""
    speaking = np.where(shared & _NAME_AND_PLACE, shared & ~_NAME, shared)
    support = np.zeros(len(shared), np.int64)
    against = np.zeros(len(shared), np.int64)
    for kinds, outweighed in _FOR:
        support += np.where(speaking & kinds, outweighed, 0)
    for kinds in _AGAINST:
        against += (both & kinds != 0) & (shared & kinds == 0)
    worth: NDArray[np.bool_] = (shared & ~_OFTEN_SHARED != 0) | (support > against)
    return worth

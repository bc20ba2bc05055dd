"""Which pairs are compared at all: judged by the kinds of keys they share and of those both have."""

from __future__ import annotations

import pytest

from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.model import MatchKey, MatchKeyKind

K = MatchKeyKind
EVERYTHING = (1 << len(K)) - 1


def bits(*kinds: MatchKeyKind) -> int:
    return kinds_of(MatchKey(kind, 1) for kind in kinds)


def test_kinds_are_a_bit_set_however_often_a_kind_comes() -> None:
    assert bits() == 0
    assert bits(K.IDENTIFIER, K.NAME_CITY, K.NAME_CITY) == 1 << K.IDENTIFIER | 1 << K.NAME_CITY


@pytest.mark.parametrize("kind", [K.IDENTIFIER, K.EMAIL_USER, K.PHONE_TAIL, K.NAME_DATE_OF_BIRTH, K.ADDRESS])
def test_a_telling_key_is_enough_whatever_else_differs(kind: MatchKeyKind) -> None:
    assert worth_comparing(bits(kind), EVERYTHING)


def test_a_common_key_counts_for_little_where_all_else_is_known_and_differs() -> None:
    assert not worth_comparing(bits(K.NAME_CITY), EVERYTHING)
    assert not worth_comparing(bits(K.NAMES), bits(K.NAMES, K.DATE_OF_BIRTH, K.PHONE_TAIL, K.ADDRESS))


def test_what_one_side_lacks_speaks_against_nobody() -> None:
    both = bits(K.NAME_CITY, K.DATE_OF_BIRTH, K.NAMES)
    assert worth_comparing(bits(K.NAME_CITY), both)
    assert not worth_comparing(bits(K.NAME_CITY), both | bits(K.EMAIL_USER, K.EMAIL_LETTERS))


def test_several_common_keys_add_up() -> None:
    assert not worth_comparing(bits(K.DATE_OF_BIRTH), EVERYTHING)
    assert worth_comparing(bits(K.DATE_OF_BIRTH, K.NAME_CITY), EVERYTHING)


def test_a_name_shared_in_a_place_speaks_once() -> None:
    both = bits(K.DATE_OF_BIRTH, K.EMAIL_USER, K.PHONE_TAIL)
    assert not worth_comparing(bits(K.NAME_CITY, K.NAME, K.NAME_SPELLING), both)
    assert not worth_comparing(bits(K.NAME_STREET, K.NAME_SPELLING), both)
    assert worth_comparing(bits(K.NAME_STREET, K.NAME_CITY), both)
    assert worth_comparing(bits(K.CITY_YEAR, K.NAME), both)

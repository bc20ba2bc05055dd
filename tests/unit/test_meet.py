"""Whom new records meet, told in arrays, against the same told record by record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.holders import Holder, pack, unpack
from pipeline.identity.candidates import kinds_of, worth_comparing
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord, MatchKey, MatchKeyKind
from pipeline.identity.scratch import KeyedRecords
from pipeline.identity.twins import Circle, HoldersCompared
from pipeline.meet import Filed, Pair, meet

IDENTIFIER = MatchKeyKind.IDENTIFIER
KINDS = [
    IDENTIFIER,
    MatchKeyKind.PHONE_TAIL,
    MatchKeyKind.NAME_CITY,
    MatchKeyKind.NAME,
    MatchKeyKind.DATE_OF_BIRTH,
]
ids = st.integers(0, 7).map(lambda n: Id(bytes([n * 31]) * 16))
keys = st.builds(
    lambda kind, n: MatchKey(kind, n * 32 + kind - 90), st.sampled_from(KINDS), st.integers(0, 5)
)
held = st.lists(keys, unique=True, max_size=6).map(lambda found: tuple(sorted(found)))
others = st.integers(8, 15).map(lambda n: Id(bytes([n * 17]) * 16))
stored = st.dictionaries(others, held, max_size=6)


def file(records: Mapping[Id, tuple[MatchKey, ...]]) -> KeyedRecords:
    return {r: (IdentityRecord(r, (), {}), found) for r, found in records.items()}


def one_by_one(
    new: KeyedRecords,
    stood: Mapping[Id, Sequence[MatchKey]],
    closed: set[int],
    circles: Mapping[int, Circle],
) -> dict[Pair, tuple[MatchKey, ...]]:
    found = {}
    before = dict(stood)
    for r, (_, mine) in new.items():
        for o, its in before.items():
            shared = tuple(k for k in mine if k in set(its) and k.key not in closed)
            by = tuple(k for k in shared if k.key not in circles or circles[k.key].meets(r, o))
            spoken_for = any(circles[k.key].speaks for k in shared if k not in by)
            if spoken_for and all(k.kind is not IDENTIFIER for k in by):
                continue
            if by and worth_comparing(kinds_of(by), kinds_of(mine) & kinds_of(its)):
                found[min(r, o), max(r, o)] = by
        before[r] = mine
    return found


@given(
    st.dictionaries(ids, held, max_size=6),
    stored,
    st.sets(st.integers(0, 5).map(lambda n: n * 32 - 75), max_size=3),
    st.integers(1, 3),
    st.booleans(),
)
def test_the_pairs_worth_a_comparison_are_those_found_one_by_one(
    new: dict[Id, tuple[MatchKey, ...]],
    stood: dict[Id, tuple[MatchKey, ...]],
    closed: set[int],
    most: int,
    speaks: bool,
) -> None:
    holders: defaultdict[int, bytes] = defaultdict(bytes)
    circled: defaultdict[int, dict[Id, int]] = defaultdict(dict)
    for o, its in {**stood, **new}.items():
        for key in its:
            if o in stood:
                holders[key.key] += pack(Holder(o, kinds_of(its), 0, 0))
            if key.kind is IDENTIFIER and key.key not in closed:
                circled[key.key][o] = o[0] % 2
    circles = {
        key: Circle(alike, HoldersCompared(most, 1, 1), speaks)
        for key, alike in circled.items()
        if len(alike) > most
    }
    filed = Filed.of(file(new))
    numbers = filed.distinct.tolist()
    meeting = np.array([n not in closed for n in numbers], np.bool_)
    seated = {n: circles[key] for n, key in enumerate(numbers) if key in circles}
    found = meet(filed, [holders[n] for n in numbers], meeting, seated)
    assert found == one_by_one(file(new), stood, closed, circles)


def test_who_is_new_holds_keys_in_the_order_they_came() -> None:
    first, second = Id(b"b" * 16), Id(b"a" * 16)
    key, other = MatchKey(MatchKeyKind.PHONE_TAIL, 7), MatchKey(MatchKeyKind.NAME, -7)
    filed = Filed.of(file({first: (key, other), second: (key,)}))
    assert filed.distinct.tolist() == [-7, 7]
    assert filed.mine(0) == (first,)
    assert filed.mine(1) == (first, second)


def test_a_packed_holder_is_what_was_packed() -> None:
    one, other = Holder(Id(bytes(15) + b"x"), 2**20, -5, 2**63 - 1), Holder(Id(b"y" * 16), 0, 2**31 - 1, -7)
    assert unpack(pack(one) + pack(other)) == (one, other)

"""What is stored of a version is read again as exactly what it was, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.frozen import freeze, thaw


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Number(IntEnum):
    ONE = 1
    TWO = 2


class Pair(NamedTuple):
    name: str
    weight: float = 0.5


@dataclass(frozen=True, slots=True)
class Everything:
    text: str
    share: float
    count: int
    said: bool
    maybe: Pair | None
    pairs: tuple[Pair, ...]
    both: tuple[str, float]
    names: frozenset[str]
    hashes: frozenset[bytes]
    colours: Mapping[Colour, float]
    caps: Mapping[Number, int]
    nested: Mapping[str, Mapping[str, Pair]]
    later: int = 7
    derived: int = field(default=0, init=False, compare=False)


floats = st.floats(allow_nan=False, allow_infinity=False)
pairs = st.builds(Pair, st.text(), floats)
values = st.builds(
    Everything,
    text=st.text(),
    share=floats,
    count=st.integers(-(2**63), 2**63 - 1),
    said=st.booleans(),
    maybe=st.none() | pairs,
    pairs=st.lists(pairs).map(tuple),
    both=st.tuples(st.text(), st.floats(-1e300, 1e300)),
    names=st.frozensets(st.text()),
    hashes=st.frozensets(st.binary()),
    colours=st.dictionaries(st.sampled_from(Colour), st.floats(-1e9, 1e9)),
    caps=st.dictionaries(st.sampled_from(Number), st.integers(0, 10)),
    nested=st.dictionaries(st.text(), st.dictionaries(st.text(), pairs)),
    later=st.integers(0, 9),
)


def one(**changed: object) -> dict[str, object]:
    whole = Everything(
        "a",
        0.1,
        1,
        True,
        None,
        (),
        ("b", 2.0),
        frozenset(),
        frozenset(),
        {Colour.RED: 1.0},
        {Number.TWO: 3},
        {},
    )
    frozen = freeze(whole)
    assert isinstance(frozen, dict)
    return {**frozen, **changed}


@given(values)
def test_what_was_frozen_thaws_to_the_last_bit(value: Everything) -> None:
    assert thaw(Everything, orjson.loads(orjson.dumps(freeze(value)))) == value


def test_what_came_later_has_its_default() -> None:
    data = one()
    del data["later"]
    assert thaw(Everything, data).later == 7


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"gone": 1}, r"v1: this version of the program knows no gone"),
        ({"count": "1"}, r"v1\.count: str where int"),
        ({"count": True}, r"v1\.count: bool where int"),
        ({"said": 1}, r"v1\.said: int where bool"),
        ({"both": ["b"]}, r"v1\.both: list where tuple"),
        ({"colours": {"green": 1.0}}, r"v1\.colours: str where Colour"),
        ({"caps": {"9": 1}}, r"v1\.caps: int where Number"),
        ({"hashes": ["zz"]}, r"v1\.hashes\[0\]: str where bytes"),
        ({"nested": {"a": {"b": {"weight": 1.0}}}}, r"v1\.nested\.a\.b: it was stored without name"),
        ({"maybe": []}, r"v1\.maybe: list where Pair"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_place(changed: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        thaw(Everything, one(**changed), "v1")


@pytest.mark.parametrize("value", [{1.5: "a"}, [1], object(), {"a": {1, 2}}, float("inf"), float("nan")])
def test_what_could_not_be_read_again_is_not_stored(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be"):
        freeze(value)

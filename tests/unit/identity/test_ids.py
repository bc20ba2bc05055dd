"""Ids are the bytes of a UUID and read as one."""

from __future__ import annotations

import pickle
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.ids import Id
from pipeline.ids import new_id

TEXT = "0192e6a1-7b2c-7def-8123-456789abcdef"


@given(st.binary(min_size=16, max_size=16))
def test_an_id_reads_as_its_uuid(data: bytes) -> None:
    own = Id(data)
    assert str(own) == f"{own}" == str(UUID(bytes=data))
    assert Id.parse(str(own)) == Id.parse(str(own).upper()) == own


@given(st.uuids(), st.uuids())
def test_ids_are_equal_and_sort_as_their_uuids_do(one: UUID, other: UUID) -> None:
    assert (Id(one.bytes) < Id(other.bytes)) == (one < other)
    assert (Id(one.bytes) == Id(other.bytes)) == (one == other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        f"{TEXT}0",
        f" {TEXT[1:]}",
        TEXT.replace("-", ""),
        TEXT.replace("-", " "),
        "{" + TEXT + "}",
        "urn:" + TEXT.replace("-", ""),
        TEXT.replace("7b2c-7", "7b2c7-"),
        TEXT[:-2] + " -",
        TEXT.replace("0", "g"),
        TEXT.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
    ],
)
def test_nothing_else_is_read_as_an_id(text: str) -> None:
    with pytest.raises(ValueError, match=r"has to be a UUID|non-hexadecimal"):
        Id.parse(text)


def test_an_id_shows_as_text_and_travels_between_processes() -> None:
    own = Id.parse(TEXT)
    assert repr(own) == f"Id('{TEXT}')"
    again = pickle.loads(pickle.dumps(own))
    assert (type(again), again) == (Id, own)


def test_new_ids_are_uuids_of_version_7() -> None:
    assert {UUID(bytes=new_id()).version for _ in range(20)} == {7}

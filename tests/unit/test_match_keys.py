"""Packed match keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.model import MatchKey, MatchKeyKind
from pipeline.match_keys import pack_match_keys, unpack_match_keys

keys = st.builds(MatchKey, st.sampled_from(MatchKeyKind), st.integers(-(2**63), 2**63 - 1))


@given(st.lists(keys))
def test_what_is_packed_comes_back(some: list[MatchKey]) -> None:
    assert unpack_match_keys(pack_match_keys(some)) == tuple(some)


@pytest.mark.parametrize("broken", [b"123", b"\x7f" + bytes(8)])
def test_other_bytes_are_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="no packed match keys"):
        unpack_match_keys(broken)

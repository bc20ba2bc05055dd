"""A sealed value opens under its own key at its own place, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SealBroken
from pipeline.privacy.seal import open_sealed, seal

KEY = bytes(range(32))


@given(st.binary(max_size=500), st.binary(max_size=50))
def test_opens_what_it_sealed(plaintext: bytes, context: bytes) -> None:
    sealed = seal(KEY, plaintext, context)
    assert len(sealed) == len(plaintext) + 28
    assert open_sealed(KEY, sealed, context) == plaintext


def test_equal_values_look_different() -> None:
    assert seal(KEY, b"x", b"c") != seal(KEY, b"x", b"c")


@pytest.mark.parametrize(
    ("key", "context", "change"),
    [(bytes(32), b"here", 0), (KEY, b"elsewhere", 0), (KEY, b"here", 1)],
    ids=["another key", "another place", "a changed byte"],
)
def test_refuses_what_does_not_belong(key: bytes, context: bytes, change: int) -> None:
    sealed = bytearray(seal(KEY, b"secret", b"here"))
    sealed[-1] ^= change
    with pytest.raises(SealBroken):
        open_sealed(key, bytes(sealed), context)


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(27)])
def test_refuses_what_is_no_sealed_value(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        open_sealed(KEY, sealed, b"")

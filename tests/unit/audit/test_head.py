"""Heads and public keys as they are kept in a line outside the database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.chain import canonical, link_hash
from pipeline.audit.signing import Head, key_of, key_text
from pipeline.errors import BadInput
from pipeline.privacy.keyfile import KeyFile
from pipeline.privacy.keyring import key_ring
from tests.support.people import ring

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
KEYS = ring().audit_keys()


@given(seq=st.integers(1, 2**63 - 1), hash_=st.binary(min_size=32, max_size=32))
def test_a_head_is_read_as_it_was_written(seq: int, hash_: bytes) -> None:
    head = Head.made(seq, hash_, NOW, ring().audit_signer)
    assert Head.parse(f" {head}\n") == head
    assert head.is_signed(KEYS)
    assert head.at == NOW


def test_whatever_is_changed_of_a_head_it_was_not_signed_so() -> None:
    head = Head.made(7, b"h" * 32, NOW, ring().audit_signer)
    for changed in (
        Head(8, head.hash, head.signed_at, head.version, head.signature),
        Head(7, b"i" * 32, head.signed_at, head.version, head.signature),
        Head(7, head.hash, head.signed_at + 1, head.version, head.signature),
        Head(7, head.hash, head.signed_at, 2, head.signature),
        Head(7, head.hash, head.signed_at, head.version, b""),
    ):
        assert not changed.is_signed(KEYS)
    assert not head.is_signed(key_ring(KeyFile(1, {1: b"2" * 32})).audit_keys())


def test_the_hash_is_what_the_documentation_says() -> None:
    """What is stored rests on it."""
    entry = canonical({"b": [1, "é"], "a": None})
    assert entry == '{"a":null,"b":[1,"é"]}'.encode()
    assert (
        link_hash(bytes(32), entry).hex()
        == "06530075c8a76c38b731476eed0a8bddc79c504e44fdd7db8c6a883539137264"
    )


@pytest.mark.parametrize(
    "text", ["", "1:2", "x:y:z:1:2", "1:zz:1:1:AA", f"1:{'ab' * 32}:01:1:AA", "é:1:1:1:1"]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(
        BadInput, match=r"^head: it is none; give a line that `retail-brain audit head` printed"
    ):
        Head.parse(text)


def test_a_public_key_is_read_as_it_was_written() -> None:
    assert key_of(f"{key_text(1, KEYS[1])}\n") == (1, KEYS[1])
    for wrong in ("", "1", "1:AA", f"x{key_text(1, KEYS[1])}", f"{key_text(1, KEYS[1])}:2"):
        with pytest.raises(BadInput, match=r"^public key: it is none"):
            key_of(wrong)


def test_the_public_key_never_changes() -> None:
    """Who has it written down checks by it."""
    assert key_text(1, KEYS[1]) == "1:GBwqDQNVjKebjE0vf5QksAyTyvFKQzLHOuX-RISb35k"

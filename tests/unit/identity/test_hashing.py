"""The keyed hash against the standard library's."""

from hmac import digest

from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.hashing import keyed_number, signature


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_a_signature_is_an_hmac_whatever_the_length_of_the_key(secret: bytes, message: bytes) -> None:
    assert signature(secret, message) == digest(secret, message, "sha256")


@given(st.binary(min_size=32, max_size=32), st.text(max_size=40))
def test_a_keyed_number_is_the_beginning_of_an_hmac(secret: bytes, text: str) -> None:
    whole = digest(secret, f"3\x1f{text}".encode(), "sha256")
    assert keyed_number(secret, "3", text) == int.from_bytes(whole[:8], "big", signed=True)

"""A compressed body is its content, however it comes in parts; what is none is refused."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from gateway.body import BodyTooLarge
from gateway.inflate import BodyBroken, BodyNotPlain, plain

STEP = 65_536
MOST = 1_000_000


class Parts:
    """Receives these parts, and then that the client is gone."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._left = list(parts)

    async def __call__(self) -> Message:
        if not self._left:
            return {"type": "http.disconnect"}
        part = self._left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self._left)}


async def read(parts: Sequence[bytes]) -> list[bytes]:
    receive = plain(Parts(parts), b"gzip", MOST)
    found = []
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        found.append(message["body"])
        if not message["more_body"]:
            return found


def cut(content: bytes, at: Sequence[int]) -> list[bytes]:
    places = [0, *sorted({n % (len(content) + 1) for n in at}), len(content)]
    return [content[a:b] for a, b in pairwise(places)]


@given(
    members=st.lists(
        st.tuples(st.binary(max_size=40), st.integers(1, 9_000)).map(lambda p: p[0] * p[1]),
        min_size=1,
        max_size=3,
    ),
    at=st.lists(st.integers(0, 10_000), max_size=6),
)
async def test_any_parts_of_any_members_are_their_content(members: list[bytes], at: list[int]) -> None:
    found = await read(cut(b"".join(gzip.compress(m) for m in members), at))
    assert b"".join(found) == b"".join(members)
    assert max(map(len, found)) <= STEP


@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 3 * STEP])
async def test_a_content_that_fills_its_steps_comes_whole(size: int) -> None:
    assert b"".join(await read([gzip.compress(b"a" * size)])) == b"a" * size


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"{}"],
        [gzip.compress(b"{}")[:-1]],
        [gzip.compress(b"{}"), b"{}"],
        [gzip.compress(os.urandom(90_000))[:70_000]],
        [gzip.compress(b"{}")[:-5] + b"\x00" + gzip.compress(b"{}")[-4:]],
    ],
    ids=["empty", "not compressed", "cut off", "more behind it", "cut off late", "another checksum"],
)
async def test_what_is_no_gzip_is_refused(parts: list[bytes]) -> None:
    with pytest.raises(BodyBroken):
        await read(parts)


async def test_what_is_not_encoded_comes_as_it_is_and_other_encodings_are_refused() -> None:
    receive = Parts([b"{}"])
    assert plain(receive, b"", MOST) is receive
    assert plain(receive, b"Identity", MOST) is receive
    with pytest.raises(BodyNotPlain):
        plain(receive, b"br", MOST)


async def test_after_its_end_only_the_client_is_heard() -> None:
    """Who waits for the client to go would turn for ever, and let nobody else run, if the end came again and again."""
    receive = plain(Parts([gzip.compress(b"")]), b"gzip", MOST)
    assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
    assert await receive() == {"type": "http.disconnect"}


async def test_what_inflates_to_nothing_counts_as_it_comes() -> None:
    receive = plain(Parts([gzip.compress(b"") * 1_000] * 100), b"gzip", MOST)
    with pytest.raises(BodyTooLarge):
        await receive()

"""Lines are what stands between line breaks, however they come in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.lines import TOO_LONG, lines


async def found(parts: Sequence[bytes], most: int) -> list[bytes]:
    async def coming() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return [line async for line in lines(coming(), most)]


@given(st.lists(st.lists(st.sampled_from([b"a", b"bc", b" ", b"\n", b"\r\n", b"dddd"])).map(b"".join)))
async def test_lines_do_not_depend_on_the_parts_they_come_in(parts: list[bytes]) -> None:
    text = b"".join(parts)
    expected = [line.strip() if len(line) <= 6 else TOO_LONG for line in text.split(b"\n")]
    assert await found(parts, 6) == [line for line in expected if line]


async def test_no_more_is_held_of_a_line_than_is_allowed() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 100
        yield b"\n{}"

    assert [line async for line in lines(endless(), 500)] == [TOO_LONG, b"{}"]

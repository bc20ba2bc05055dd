"""Bytes gone wrong: what a faulty producer, a truncated transfer or an attacker makes of a message. Deterministic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

_NUMBERS = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff" * 9 + b"\x01",
    b"\x80" * 9 + b"\x01",
    b"\xfe\xff\xff\xff\x0f",
)
_TEXTS = (
    b"null",
    b"-1",
    b"1e999",
    b'"',
    b"{",
    b"[" * 2_000,
    b"\\ud800",
    b"\xed\xa0\x80",
    b"\x00",
    b"9" * 400,
    b"true",
)

Mutation = Callable[[bytearray, Random], None]


def _at(data: bytearray, draw: Random) -> int:
    return draw.randrange(len(data) + 1)


def _flip(data: bytearray, draw: Random) -> None:
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _overwrite(data: bytearray, draw: Random) -> None:
    if data:
        data[draw.randrange(len(data))] = draw.randrange(256)


def _truncate(data: bytearray, draw: Random) -> None:
    del data[_at(data, draw) :]


def _drop(data: bytearray, draw: Random) -> None:
    start = _at(data, draw)
    del data[start : start + draw.randrange(1, 9)]


def _repeat(data: bytearray, draw: Random) -> None:
    start = _at(data, draw)
    data[start:start] = data[start : start + draw.randrange(1, 65)] * draw.randrange(1, 9)


def _insert(data: bytearray, draw: Random) -> None:
    start = _at(data, draw)
    data[start:start] = draw.choice((*_NUMBERS, *_TEXTS))


def _replace(data: bytearray, draw: Random) -> None:
    start = _at(data, draw)
    new = draw.choice((*_NUMBERS, *_TEXTS))
    data[start : start + len(new)] = new


_ALL: Sequence[Mutation] = (_flip, _overwrite, _truncate, _drop, _repeat, _insert, _replace)


def mutated(message: bytes, draw: Random) -> bytes:
    """The message with one to four mutations: bits and bytes changed, parts dropped, repeated or put in."""
    data = bytearray(message)
    for _ in range(draw.choice((1, 1, 2, 4))):
        draw.choice(_ALL)(data, draw)
    return bytes(data)

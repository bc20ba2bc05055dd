"""Positions as texts that come back as they were, and nothing else does."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.changes.kinds import TOPICS
from pipeline.changes.position import decode, encode
from pipeline.errors import BadInput

offsets = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=12)
positions = st.dictionaries(st.sampled_from(TOPICS), offsets, min_size=1).map(
    lambda found: {(topic, n): at for topic, each in found.items() for n, at in enumerate(each)}
)


@given(positions)
def test_a_position_comes_back(position: dict[tuple[str, int], int]) -> None:
    assert decode(encode(position), "after") == position


@given(positions, st.data())
def test_one_letter_changed_is_refused(position: dict[tuple[str, int], int], data: st.DataObject) -> None:
    text = encode(position)
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCabc019-_+/. é").filter(lambda one: one != text[at]))
    changed = text[:at] + letter + text[at + 1 :]
    spare = at == len(text) - 1  # its last bits may say nothing
    with suppress(BadInput) if spare else pytest.raises(BadInput, match=r"^after: "):
        assert decode(changed, "after") == position


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda b: b.hex()))
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="from=latest"):
        decode(text, "Last-Event-ID")


def test_it_is_short() -> None:
    day = {(topic, n): 1_000_000 + n for topic in TOPICS for n in range(6)}
    assert len(encode(day)) <= 110

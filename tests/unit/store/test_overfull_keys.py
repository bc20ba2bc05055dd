"""What a stage remembers of over-full keys."""

from __future__ import annotations

from pipeline.identity.sharing import OVERFULL
from pipeline.ports import Held
from pipeline.store.identity_store import OverfullKeys


def test_only_what_is_overfull_is_remembered() -> None:
    keys = OverfullKeys()
    keys.learn({1: Held(OVERFULL, 2.5, b""), 2: Held(3, 1.0, b""), 3: Held(0, 0.0, b"")})
    assert keys.among([3, 2, 1, 4]) == {1: Held(OVERFULL, 2.5, b"")}


def test_the_first_go_first() -> None:
    keys = OverfullKeys(size=2)
    for key in (1, 2, 3):
        keys.learn({key: Held(OVERFULL, 0.0, b"")})
    assert keys.among([1, 2, 3]).keys() == {2, 3}

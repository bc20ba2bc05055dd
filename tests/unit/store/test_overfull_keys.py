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


def test_what_another_session_learnt_is_forgotten() -> None:
    """The next connection may be to a standby that lacks what was committed last."""
    keys, first = OverfullKeys(), object()
    keys.of(first).learn({1: Held(OVERFULL, 0.0, b"")})
    assert keys.of(first).among([1]).keys() == {1}
    assert keys.of(object()).among([1]) == {}

"""Cursors belong to one list, and say nothing of it."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from gateway.cursors import Cursors
from pipeline.errors import BadInput
from tests.support.people import ring

LIST = Cursors(ring(), "timeline", "someone", None)


def test_a_place_comes_back() -> None:
    assert LIST.read(LIST.write(("2026-01-01T00:00:00+00:00", 1, "x"))) == [
        "2026-01-01T00:00:00+00:00",
        1,
        "x",
    ]


def test_one_of_another_list_is_refused() -> None:
    for other in (Cursors(ring(), "timeline", "someone", "events"), Cursors(ring(), "search", "someone")):
        with pytest.raises(BadInput, match=r"^cursor: it is none of this list"):
            LIST.read(other.write((1,)))


@pytest.mark.parametrize(
    "made_up",
    [
        "",
        "x",
        "é",
        "====",
        urlsafe_b64encode(b"[]").decode(),
        urlsafe_b64encode(b"7").decode(),
        urlsafe_b64encode(b'["1","[1]"]').decode(),
        urlsafe_b64encode(b'["1",2]').decode(),
    ],
)
def test_one_that_is_made_up_is_refused(made_up: str) -> None:
    with pytest.raises(BadInput):
        LIST.read(made_up)

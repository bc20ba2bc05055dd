"""What an If-Match says, by RFC 9110: a list of entity tags, or any."""

from __future__ import annotations

import time

import pytest

from gateway.conditions import entity_tags
from pipeline.errors import BadInput, PreconditionFailed
from pipeline.ids import new_id
from pipeline.seen import must_be_as_seen


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        ('"a"', {'"a"'}),
        ('"a", "b"', {'"a"', '"b"'}),
        (' "a",,"b,c" ,', {'"a"', '"b,c"'}),
        ('""', {'""'}),
        ('W/"a"', {'W/"a"'}),
    ],
)
def test_tags_are_read_with_their_quotes(given: str, tags: set[str]) -> None:
    assert entity_tags(given) == tags


def test_any_is_no_condition_on_what_was_read() -> None:
    assert entity_tags(" * ") is None


@pytest.mark.parametrize("given", ["", "a", '"a', '"a" "b"', 'w/"a"', '*, "a"', '"a"b', ",", '"\x7f"'])
def test_what_holds_no_tag_is_named(given: str) -> None:
    with pytest.raises(BadInput, match="If-Match: it holds no entity tag; send the ETag"):
        entity_tags(given)


def test_a_long_one_takes_no_time() -> None:
    started = time.process_time()
    with pytest.raises(BadInput):
        entity_tags('"a"' + ",   " * 100_000 + "x")
    assert time.process_time() - started < 5


def test_a_weak_tag_matches_none() -> None:
    review = new_id()
    must_be_as_seen(review, '"a"', entity_tags('"b", "a"'))
    must_be_as_seen(review, '"a"', None)
    with pytest.raises(PreconditionFailed, match=str(review)):
        must_be_as_seen(review, '"a"', entity_tags('W/"a"'))

"""Whichever way changes come to a subscriber, from the ring or by a reader of its own, each comes once and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.feed.ring import Cursor, Ring
from pipeline.changes.change import Change
from pipeline.changes.kinds import LINKED, PROFILES, ChangeType
from pipeline.changes.position import decode
from pipeline.changes.wanted import Wanted, types_of

A, B = (PROFILES, 0), (LINKED, 0)


def change(place: tuple[str, int], offset: int, size: int = 10) -> Change:
    kind = ChangeType.PROFILE_UPDATED if place[0] == PROFILES else ChangeType.EVENT_LINKED
    return Change(kind, place, offset, frozenset(), b"x" * size)


def ring_at(ends: dict[tuple[str, int], int], most: int = 100) -> Ring:
    ring = Ring(most)
    ring.restart(ends)
    return ring


def test_it_holds_the_newest_and_knows_whom_they_serve() -> None:
    ring = ring_at({A: 5, B: 0})
    assert ring.covers({A: 5, B: 0})
    assert not ring.covers({A: 4, B: 0})
    ring.add([change(A, 5), change(B, 0)])
    ring.add([change(A, 6 + n) for n in range(9)])
    assert ring.covers({A: 6, B: 0})
    assert not ring.covers({A: 5, B: 0})
    assert ring.covers({B: 0})
    assert [(c.place, c.offset) for c in ring.read(ring.first, 2)] == [(B, 0), (A, 6)]
    assert ring.next == {A: 15, B: 1}


def test_however_many_come_it_holds_no_more_bytes_than_it_may() -> None:
    ring = ring_at({A: 0})
    for n in range(1_000):
        ring.add([change(A, n, size=30)])
        assert sum(len(c.body) for c in ring.read(ring.first, 1_000)) <= 100
    assert ring.end == 1_000


def test_another_log_is_another_epoch() -> None:
    ring = ring_at({A: 5})
    ring.add([change(A, 5)])
    epoch = ring.epoch
    ring.restart({A: 0})
    assert ring.epoch > epoch
    assert ring.read(ring.first, 10) == []
    assert not ring.covers({A: -1})


def test_a_cursor_names_the_place_right_after_each_change() -> None:
    cursor = Cursor({A: 0, B: 0}, Wanted(types_of(["profile.*", "event.*"])))
    for _ in cursor.take([change(A, 0), change(B, 0), change(A, 1)]):
        now = decode(cursor.id, "")
        assert now == cursor.position
    assert cursor.position == {A: 2, B: 1}


def test_what_is_not_wanted_is_gone_past() -> None:
    cursor = Cursor({A: 0, B: 0}, Wanted(types_of(["event.*"])))
    assert [c.place for c in cursor.take([change(A, 0), change(B, 0)])] == [B]
    assert cursor.position == {A: 1, B: 1}
    cursor.reach({A: 9, B: 0, (LINKED, 7): 3})
    assert cursor.position == {A: 9, B: 1}


@given(st.lists(st.sampled_from([A, B]), max_size=60), st.integers(10, 200), st.data())
def test_from_the_log_and_from_the_ring_each_comes_once(
    places: list[tuple[str, int]], most: int, data: st.DataObject
) -> None:
    """A subscriber that is cut off at any time and goes on by its last id, beside a ring that drops what it may."""
    log: dict[tuple[str, int], list[Change]] = {A: [], B: []}
    ring = ring_at({A: 0, B: 0}, most)
    came: list[Change] = []
    cursor = Cursor({A: 0, B: 0}, Wanted())
    at = ring.first

    def drain(chunk: int) -> None:
        nonlocal at
        if ring.covers(cursor.position):
            at = max(at, ring.first)
            found = ring.read(at, chunk)
            at += len(found)
            came.extend(cursor.take(found))
        else:
            found = [c for place in (A, B) for c in log[place][cursor.position[place] :]][:chunk]
            came.extend(cursor.take(found))
            at = ring.first

    for place in places:
        log[place].append(change(place, len(log[place])))
        ring.add(log[place][-1:])
        if data.draw(st.booleans()):
            drain(data.draw(st.integers(1, 5)))
        if data.draw(st.integers(0, 9)) == 0:
            cursor = Cursor(decode(cursor.id, ""), Wanted())
            at = ring.first
    while len(came) < len(places):
        before = dict(cursor.position)
        drain(7)
        assert cursor.position != before or at < ring.end
    for place in (A, B):
        assert [c.offset for c in came if c.place == place] == list(range(len(log[place])))

"""Who is to have which id: by the house's rule, over the events that customers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.ids import Id
from pipeline.replay.succession import ChangeKind, Part, Step, Succession, succession
from tests.support.ids import number_of, numbered
from tests.support.people import START

NOBODY = 0


def part(live: int, shadow: int, minute: int, events: int = 1) -> Part:
    one, other = (numbered(n) if n else None for n in (live, shadow))
    return Part(one, other, START + timedelta(minutes=minute), events)


def decided(*parts: Part) -> Succession:
    """Live customers are called 1, 2, ... in the order they were created; new ones 1001, 1002, ..."""
    new = count(1_001)

    def born(profiles: Iterable[Id]) -> Mapping[Id, datetime]:
        return {p: START + timedelta(days=number_of(p)) for p in profiles}

    return succession(sorted(parts, key=lambda p: p.first_seen), born, lambda: numbered(next(new)))


def heirs(found: Succession) -> dict[int, int]:
    return {number_of(s): number_of(p) for s, p in found.heirs.items()}


def steps(found: Succession) -> list[tuple[str, int, int]]:
    return [(s.kind, number_of(s.source), number_of(s.target)) for s in found.steps]


def test_who_stays_the_same_keeps_its_id() -> None:
    found = decided(part(1, 51, 0), part(2, 52, 1))
    assert heirs(found) == {51: 1, 52: 2}
    assert (found.steps, found.changes, found.gone) == ((), (), frozenset())


def test_of_those_who_come_together_the_older_survives() -> None:
    found = decided(part(2, 51, 0), part(1, 51, 5), part(3, 51, 9))
    assert heirs(found) == {51: 1}
    assert sorted(steps(found)) == [("merged", 2, 1), ("merged", 3, 1)]
    assert [c.kind for c in found.changes] == [ChangeKind.MERGE]


def test_the_part_with_the_oldest_record_keeps_the_id() -> None:
    found = decided(part(1, 51, 7, events=99), part(1, 52, 3))
    assert heirs(found) == {51: 1_001, 52: 1}
    assert found.steps == (Step("split", numbered(1), numbered(1_001)),)
    assert [c.kind for c in found.changes] == [ChangeKind.SPLIT]


def test_who_exchange_events_both_stay() -> None:
    found = decided(part(1, 51, 0), part(1, 52, 4), part(2, 52, 1))
    assert heirs(found) == {51: 1, 52: 2}
    assert steps(found) == [("split", 1, 2)]
    assert [c.kind for c in found.changes] == [ChangeKind.MIXED]


def test_events_that_come_to_name_somebody_or_nobody() -> None:
    found = decided(
        part(NOBODY, 51, 0), part(1, NOBODY, 1), part(2, 52, 2), part(2, NOBODY, 3), part(NOBODY, 52, 4)
    )
    assert heirs(found) == {51: 1_001, 52: 2}
    assert found.gone == {numbered(1)}
    assert not found.steps
    assert [c.kind for c in found.changes] == [ChangeKind.NEW, ChangeKind.GONE]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(any), max_size=12, unique=True))
def test_ids_are_passed_on_once_and_to_somebody_who_has_events_of_theirs(
    pairs: list[tuple[int, int]],
) -> None:
    found = decided(*(part(a, b and b + 50, n) for n, (a, b) in enumerate(pairs)))
    assert len(set(found.heirs.values())) == len(found.heirs) == len({b for _, b in pairs if b})
    live = {a for a, _ in pairs if a}
    stays = {p for p in heirs(found).values() if p <= 5}
    goes = {source for kind, source, _ in steps(found) if kind == "merged"}
    assert stays | goes | {number_of(p) for p in found.gone} == live
    assert not stays & goes
    for shadow, heir in heirs(found).items():
        if heir <= 5:
            assert (heir, shadow - 50) in pairs

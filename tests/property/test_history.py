"""Whatever moved since, a profile is told as it stood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.customer.history import MERGED, Moved, led_to, members
from pipeline.identity.ids import Id

START = datetime(2026, 1, 1, tzinfo=UTC)
PROFILES = [Id(bytes([n] * 16)) for n in range(1, 6)]
RECORDS = [Id(bytes([n] * 16)) for n in range(100, 108)]

Step = tuple[int, int, frozenset[int]]
STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.frozensets(st.integers(0, 7), min_size=1)), max_size=12
)


@given(STEPS)
def test_members_and_where_ids_led_are_told_of_every_moment(steps: list[Step]) -> None:
    home = {r: PROFILES[n % 5] for n, r in enumerate(RECORDS)}
    into: dict[Id, Id | None] = dict.fromkeys(PROFILES)
    stood = [(START, dict(home), dict(into))]
    log: list[Moved] = []
    for number, (one, other, some) in enumerate(steps):
        at = START + timedelta(minutes=number + 1)
        source, target = PROFILES[one], PROFILES[other]
        theirs = frozenset(r for r in RECORDS if home[r] == source)
        moved = theirs & {RECORDS[n] for n in some}
        if source == target or not moved:
            continue
        kind = MERGED if moved == theirs else "split"
        log.append(Moved(kind, source, target, moved, at))
        home |= dict.fromkeys(moved, target)
        into |= {target: None, **({source: target} if kind == MERGED else {})}
        stood.append((at, dict(home), dict(into)))
    for at, then, led in stood:
        for profile in PROFILES:
            moves = [m for m in log if profile in (m.source, m.target)]
            now = [r for r in RECORDS if home[r] == profile]
            for moment in (at, at + timedelta(seconds=30)):
                assert members(profile, now, moves, moment) == {r for r in RECORDS if then[r] == profile}
                assert led_to(profile, moves, moment) == led[profile]


def test_entries_count_in_the_order_of_their_locks_and_not_of_their_clocks() -> None:
    """The second was decided first, waited for the first one's locks, and moved what that had moved."""
    one, other, third = PROFILES[:3]
    record = RECORDS[0]
    first = Moved("split", one, other, frozenset({record}), START + timedelta(seconds=2))
    second = Moved("split", other, third, frozenset({record}), START + timedelta(seconds=1))
    assert members(other, [], [first, second], START) == frozenset()
    assert members(one, [], [first], START) == {record}

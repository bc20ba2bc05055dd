from __future__ import annotations

import random
from collections import Counter

import pytest

from consumers.panes import (
    ALL,
    BLOCK_GROUPS,
    MINUTE_S,
    MOST_GROUPS,
    TEN_MINUTES_S,
    WINDOWS,
    BlockKey,
    Pane,
    Panes,
    Sale,
    WindowKey,
    read_block,
)
from consumers.sketch import hash64

T0 = 1_780_000_200  # a whole ten minutes
FAR = T0 + 365 * 86_400  # from there every window is shown


def sale(offset: int, at: int = T0, **fields: object) -> Sale:
    values = {
        "channel": "web",
        "store": "",
        "profile": hash64("p"),
        "currency": "EUR",
        "amount": None,
        **fields,
    }
    return Sale(offset, at, **values)  # type: ignore[arg-type]


def stream(seed: int, count: int, span_s: int) -> list[Sale]:
    chance = random.Random(seed)
    return [
        sale(
            i,
            T0 + chance.randint(0, span_s),
            channel=chance.choice(["web", "pos"]),
            store=chance.choice(["", "s1", "s2"]),
            profile=hash64(str(chance.randint(1, 40))),
            amount=chance.choice([None, 12_345, 99]),
            currency=chance.choice(["EUR", "USD"]),
        )
        for i in range(count)
    ]


def counted(
    sales: list[Sale], window: str, start: int, channel: str, store: str
) -> tuple[int, int, int, int]:
    """Events, orders, revenue in euros, profiles: counted one by one."""
    inside = [
        s
        for s in sales
        if start <= s.at < start + WINDOWS[window].size_s
        and channel in (ALL, s.channel)
        and store in (ALL, s.store)
    ]
    euros = sum(s.amount or 0 for s in inside if s.currency == "EUR")
    return len(inside), sum(s.amount is not None for s in inside), euros, len({s.profile for s in inside})


def kept(stored: dict[BlockKey, bytes]) -> dict[tuple[int, int, int, int, str, str], Pane]:
    """Every stored pane by its block and group."""
    return {(*key, *group): pane for key, data in stored.items() for group, pane in read_block(data)}


def figures(stored: dict[BlockKey, bytes]) -> dict[tuple[int, int, int, str, str], bytes]:
    """Every stored pane, wherever it is stored."""
    return {(*key[:3], *key[4:]): pane.to_bytes() for key, pane in kept(stored).items()}


def whole(stored: dict[BlockKey, bytes], length: int) -> Pane:
    """The pane of all events in the stretch at T0."""
    return next(p for k, p in kept(stored).items() if k[1:3] == (length, T0) and k[4:] == (ALL, ALL))


def shown(panes: Panes) -> dict[WindowKey, Pane]:
    return dict(panes.windows(panes.dirty, FAR))


def test_ten_minutes_start_on_whole_ten_minutes() -> None:
    assert T0 % TEN_MINUTES_S == 0


@pytest.mark.parametrize("seed", range(3))
def test_every_window_holds_what_counting_one_by_one_gives(seed: int) -> None:
    sales = stream(seed, 1_500, 3 * 3_600)
    sales.sort(key=lambda s: s.at)
    sales = [sale(i, s.at, **{f: getattr(s, f) for f in ("channel", "store", "profile", "currency", "amount")})
             for i, s in enumerate(sales)]  # fmt: skip
    panes = Panes({})
    for start in range(0, len(sales), 100):
        panes.fold(0, sales[start : start + 100])
    checked: Counter[str] = Counter()
    for (name, start, _, channel, store), pane in shown(panes).items():
        figures = pane.events, pane.orders, pane.revenue.get("EUR", 0), pane.profiles.count()
        assert figures == counted(sales, name, start, channel, store)
        checked[name] += 1
    assert set(checked) == set(WINDOWS)


def test_a_replay_from_any_offset_changes_nothing() -> None:
    sales = stream(7, 400, 1_800)
    stored: dict[BlockKey, bytes] = {}
    Panes(stored).fold(0, sales)
    before = dict(stored)
    for start in (0, 1, 200, 399):
        again = Panes(stored)
        again.dirty.clear()
        again.fold(0, sales[start:])
        assert stored == before
        assert not again.dirty


def test_a_crash_between_the_changes_of_a_batch_is_made_good_by_reading_it_again() -> None:
    sales = stream(8, 300, 1_800)
    whole: dict[BlockKey, bytes] = {}
    Panes(whole).fold(0, sales)
    stored: dict[BlockKey, bytes] = {}
    Panes(stored).fold(0, sales[:150])
    after: dict[BlockKey, bytes] = dict(stored)
    Panes(after).fold(0, sales[150:])
    half = sorted(after)[::2]
    stored |= {key: after[key] for key in half}  # only these reached the changelog
    Panes(stored).fold(0, sales[100:])
    assert stored == whole


def test_the_way_a_stream_is_cut_into_batches_does_not_matter() -> None:
    sales = stream(9, 300, 30 * 3_600)
    results = []
    for size in (1, 7, 300):
        stored: dict[BlockKey, bytes] = {}
        panes = Panes(stored)
        for start in range(0, len(sales), size):
            panes.fold(0, sales[start : start + size])
        results.append(stored)
    assert results[0] == results[1] == results[2]


def test_partitions_are_counted_apart_and_one_may_lag_behind() -> None:
    panes = Panes({})
    panes.fold(0, [sale(5, T0 + 90 * 86_400)])
    late = panes.fold(1, [sale(5, T0)])
    assert sum(late.values()) == 0
    assert panes.newest() == {0: T0 + 90 * 86_400 + MINUTE_S, 1: T0 + MINUTE_S}


def test_old_panes_go_and_what_comes_for_them_is_counted_as_late() -> None:
    stored: dict[BlockKey, bytes] = {}
    panes = Panes(stored)
    panes.fold(0, [sale(1)])
    panes.fold(0, [sale(2, T0 + 3 * 3_600)])
    assert {key[2] for key in stored if key[1] == MINUTE_S} == {T0 + 3 * 3_600}
    assert panes.fold(0, [sale(3, T0)]) == {MINUTE_S: 1, TEN_MINUTES_S: 0}
    assert whole(stored, TEN_MINUTES_S).events == 2


def test_groups_without_end_are_bounded_and_still_count_for_the_whole() -> None:
    stored: dict[BlockKey, bytes] = {}
    panes = Panes(stored)
    panes.fold(0, [sale(i, store=f"s{i}") for i in range(MOST_GROUPS + 100)])
    assert len(kept(stored)) == 2 * MOST_GROUPS
    assert max(Counter(key[:4] for key in kept(stored)).values()) == BLOCK_GROUPS
    assert whole(stored, MINUTE_S).events == MOST_GROUPS + 100


def test_a_crash_between_the_blocks_of_one_stretch_is_made_good_by_reading_it_again() -> None:
    sales = [sale(i, store=f"s{i % 90}", profile=hash64(str(i % 7)), amount=i) for i in range(600)]
    all_of_it: dict[BlockKey, bytes] = {}
    Panes(all_of_it).fold(0, sales)
    for kept_blocks in (sorted(all_of_it)[::2], sorted(all_of_it)[1::2]):
        stored = {key: all_of_it[key] for key in kept_blocks}  # only these reached the changelog
        Panes(stored).fold(0, sales)
        assert figures(stored) == figures(all_of_it)


def test_revenue_of_any_size_and_a_pane_in_bytes_come_back_the_same() -> None:
    pane = Pane()
    pane.add(sale(3, amount=10**40))
    pane.add(sale(4, amount=-5, currency="USD"))
    again = Pane.from_bytes(pane.to_bytes())
    assert again.revenue == {"EUR": 10**40, "USD": -5}
    assert again.to_bytes() == pane.to_bytes()
    assert not again.add(sale(4))


@pytest.mark.parametrize("window", WINDOWS.values(), ids=lambda w: w.name)
def test_windows_and_panes_agree_on_who_holds_whom(window: object) -> None:
    kind = WINDOWS[window.name]  # type: ignore[attr-defined]
    for pane in range(T0, T0 + 3_600, kind.pane_s):
        starts = list(kind.starts(pane))
        assert len(starts) == kind.size_s // kind.hop_s
        assert all(pane in kind.panes(start) for start in starts)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_waits_until_it_can_be_asked_for_and_is_whole_then(name: str) -> None:
    sales = [sale(i, T0 + 20 * i) for i in range(3 * 3_600 // 20)]
    panes = Panes({})
    served: dict[WindowKey, tuple[int, int]] = {}
    for start in range(0, len(sales), 7):
        panes.fold(0, sales[start : start + 7])
        newest = panes.newest()[0]
        dirty = sorted(panes.dirty)
        panes.dirty.clear()
        found = dict(panes.due(newest)) | dict(panes.windows(dirty, newest))
        assert all(key[1] <= WINDOWS[key[0]].last(newest) for key in found)
        served |= {key: (pane.events, pane.offset) for key, pane in found.items()}
        # what may be asked for was served with everything that came
        last = WINDOWS[name].last(newest)
        seen = [s for s in sales[: start + 7] if last <= s.at < last + WINDOWS[name].size_s]
        assert served[name, last, 0, ALL, ALL] == (len(seen), seen[-1].offset)

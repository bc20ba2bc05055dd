"""Windows over events, put together from panes (Li et al., "No pane, no gain", SIGMOD Record 2005).

An event is folded into one pane of a minute and one of ten minutes, by its own time. Every window is a run of panes,
so an event costs the same however many windows it lies in:

    minute         tumbling, 1 minute             five_minutes   hopping, 5 minutes every minute
    hour           tumbling, 1 hour               sliding_hour   hopping, 1 hour every 10 minutes

A pane belongs to one partition of events.linked and one group; it remembers the highest offset folded into it, so a
replayed event changes nothing. events.linked is keyed by profile: no profile is on two partitions, and the distinct
profiles of partitions add up. Each event counts for its (channel, store), its channel, and the whole.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from consumers.sketch import Sketch, union

MINUTE_S = 60
TEN_MINUTES_S = 600
UNITS = 10_000  # money is counted in whole ten-thousandths, so that sums do not depend on their order
MOST_GROUPS = 200  # of one stretch of time; what comes on top counts for its channel and the whole
ALL = "*"  # a group's channel or store: any

BLOCK_GROUPS = 16  # stored together: at most some 35 KB, rewritten whenever one of them changes

Group = tuple[str, str]  # channel, store
BlockKey = tuple[int, int, int, int]  # partition, pane length in s, start (epoch s), number of the block
PaneKey = tuple[int, int, int, str, str]  # partition, pane length in s, start (epoch s), channel, store
WindowKey = tuple[str, int, int, str, str]  # window name, start (epoch s), partition, channel, store


@dataclass(frozen=True, slots=True)
class Window:
    """A kind of window: `size_s` long, one every `hop_s`, made of panes of `pane_s`; the newest `kept` are served."""

    name: str
    size_s: int
    hop_s: int
    pane_s: int
    kept: int

    def starts(self, pane_start: int) -> Iterable[int]:
        """The windows that hold the pane."""
        last = pane_start // self.hop_s * self.hop_s
        return range(last, pane_start + self.pane_s - self.size_s - 1, -self.hop_s)

    def panes(self, start: int) -> Iterable[int]:
        """The panes of a window."""
        return range(start, start + self.size_s, self.pane_s)

    def last(self, newest: int) -> int:
        """The newest window shown once events reach up to `newest`.

        Of tumbling windows the one that is being filled; of hopping ones the one that ends with the newest pane.
        """
        pane = (newest - 1) // self.pane_s * self.pane_s
        return (
            pane // self.hop_s * self.hop_s if self.hop_s == self.size_s else pane + self.pane_s - self.size_s
        )


WINDOWS = {
    w.name: w
    for w in (
        Window("minute", 60, 60, MINUTE_S, 120),
        Window("five_minutes", 300, 60, MINUTE_S, 120),
        Window("hour", 3_600, 3_600, TEN_MINUTES_S, 48),
        Window("sliding_hour", 3_600, 600, TEN_MINUTES_S, 288),
    )
}
_WINDOWS_OF = {s: [w for w in WINDOWS.values() if w.pane_s == s] for s in (MINUTE_S, TEN_MINUTES_S)}
# by pane length, back from the partition's newest event; windows stay to be read for longer, but change no more
RETENTION_S = {MINUTE_S: 1_800, TEN_MINUTES_S: 6 * 3_600}


class Sale(NamedTuple):
    """What counts of a linked event. `at` in epoch seconds; `amount` in units, None where there is no order."""

    offset: int
    at: int
    channel: str
    store: str
    profile: int
    currency: str
    amount: int | None


_HEAD = struct.Struct(">qqqI")
_ENTRY = struct.Struct(">HHI")


@dataclass(slots=True)
class Pane:
    """The sums of one group in one stretch of time."""

    offset: int = -1
    events: int = 0
    orders: int = 0
    revenue: dict[str, int] = field(default_factory=dict)
    profiles: Sketch = field(default_factory=Sketch)

    def add(self, sale: Sale) -> bool:
        """Fold in an event; False where it was in already."""
        if sale.offset <= self.offset:
            return False
        self.offset = sale.offset
        self.events += 1
        self.profiles.add(sale.profile)
        if sale.amount is not None:
            self.orders += 1
            self.revenue[sale.currency] = self.revenue.get(sale.currency, 0) + sale.amount
        return True

    def to_bytes(self) -> bytes:
        """Head, revenue as JSON, sketch."""
        revenue = json.dumps(self.revenue, sort_keys=True).encode()  # whole numbers of any size
        head = _HEAD.pack(self.offset, self.events, self.orders, len(revenue))
        return head + revenue + self.profiles.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Pane:
        """What `to_bytes` wrote."""
        offset, events, orders, length = _HEAD.unpack_from(data)
        sketch_at = _HEAD.size + length
        return cls(offset, events, orders, json.loads(data[_HEAD.size : sketch_at]), Sketch(data[sketch_at:]))


def total(panes: Sequence[Pane]) -> Pane:
    """The sums of several panes of one group; a single pane is its own."""
    if len(panes) == 1:
        return panes[0]
    revenue: dict[str, int] = {}
    for pane in panes:
        for currency, amount in pane.revenue.items():
            revenue[currency] = revenue.get(currency, 0) + amount
    return Pane(
        max((p.offset for p in panes), default=-1),
        sum(p.events for p in panes),
        sum(p.orders for p in panes),
        revenue,
        union(p.profiles for p in panes),
    )


@dataclass(slots=True)
class _Stretch:
    """A partition's panes of one stretch of time; `block_of` says where each is stored."""

    panes: dict[Group, Pane] = field(default_factory=dict)
    block_of: dict[Group, int] = field(default_factory=dict)

    def add(self, group: Group, pane: Pane, block: int) -> Pane:
        """Take in the pane of a new group."""
        self.panes[group] = pane
        self.block_of[group] = block
        return pane

    def to_bytes(self, block: int) -> bytes:
        """The groups of a block with their panes, in order of their names."""
        parts = []
        for group in sorted(group for group, number in self.block_of.items() if number == block):
            channel, store = (name.encode() for name in group)
            pane = self.panes[group].to_bytes()
            parts += [_ENTRY.pack(len(channel), len(store), len(pane)), channel, store, pane]
        return b"".join(parts)


def read_block(data: bytes) -> Iterator[tuple[Group, Pane]]:
    """The groups and panes of a stored block."""
    at = 0
    while at < len(data):
        channel, store, pane = _ENTRY.unpack_from(data, at)
        store_at = at + _ENTRY.size + channel
        pane_at = store_at + store
        names = data[at + _ENTRY.size : store_at], data[store_at:pane_at]
        at = pane_at + pane
        yield (names[0].decode(), names[1].decode()), Pane.from_bytes(data[pane_at:at])


class Panes:
    """All panes of the partitions held, over a mapping that somebody else keeps safe.

    A stretch's groups are stored `BLOCK_GROUPS` together: a replay touches a hundred stretches a second, and each
    value costs a message of the changelog.
    """

    def __init__(self, stored: MutableMapping[BlockKey, bytes]) -> None:
        self._stored = stored
        self._stretches: dict[tuple[int, int], dict[int, _Stretch]] = {}
        self._newest: dict[tuple[int, int], int] = {}
        self.dirty: set[PaneKey] = set()
        self._waiting: set[WindowKey] = set()
        self.reload()

    def reload(self) -> None:
        """The mapping was filled by somebody else: index it, and mark everything to be served anew."""
        self._stretches.clear()
        self._newest.clear()
        self._waiting.clear()
        for (partition, length, start, block), data in self._stored.items():
            stretch = self._stretch(partition, length, start)
            for group, pane in read_block(data):
                stretch.add(group, pane, block)
        self._serve_all()

    def _serve_all(self) -> None:
        self.dirty = {
            (*place, start, *group)
            for place, stretches in self._stretches.items()
            for start, stretch in stretches.items()
            for group in stretch.panes
        }

    def fold(self, partition: int, sales: Iterable[Sale]) -> dict[int, int]:
        """Fold a partition's events in, in order of offset. Returns how many came too late, by pane length."""
        sales = list(sales)
        return {length: self._fold(partition, length, sales) for length in RETENTION_S}

    def _fold(self, partition: int, length: int, sales: Sequence[Sale]) -> int:
        late = 0
        changed: dict[int, set[Group]] = {}
        for sale in sales:
            start = sale.at // length * length
            if sale.at < self._horizon(partition, length):
                late += 1
                continue
            stretch = self._stretch(partition, length, start)
            for group in _groups(stretch, sale):
                pane = stretch.panes.get(group) or stretch.add(
                    group, Pane(), len(stretch.panes) // BLOCK_GROUPS
                )
                if pane.add(sale):
                    changed.setdefault(start, set()).add(group)
        self._expire(partition, length)
        for start, groups in changed.items():
            self._keep(partition, length, start, groups)
        return late

    def _keep(self, partition: int, length: int, start: int, groups: set[Group]) -> None:
        stretch = self._stretches[partition, length].get(start)
        if stretch is None:  # a batch of a replay may span more than is kept
            return
        for block in {stretch.block_of[group] for group in groups}:
            self._stored[partition, length, start, block] = stretch.to_bytes(block)
        self.dirty.update((partition, length, start, *group) for group in groups)

    def _stretch(self, partition: int, length: int, start: int) -> _Stretch:
        place = partition, length
        stretches = self._stretches.setdefault(place, {})
        stretch = stretches.get(start)
        if stretch is None:
            stretch = stretches[start] = _Stretch()
            self._newest[place] = max(start, self._newest.get(place, start))
        return stretch

    def _horizon(self, partition: int, length: int) -> int:
        newest = self._newest.get((partition, length))
        return 0 if newest is None else newest - RETENTION_S[length]

    def _expire(self, partition: int, length: int) -> None:
        stretches, horizon = self._stretches.get((partition, length), {}), self._horizon(partition, length)
        for start in [s for s in stretches if s + length <= horizon]:
            stretch = stretches.pop(start)
            for block in set(stretch.block_of.values()):
                self._stored.pop((partition, length, start, block), None)
            self.dirty.difference_update((partition, length, start, *group) for group in stretch.panes)

    def newest(self) -> dict[int, int]:
        """The end of the newest minute of each partition."""
        return {p: start + MINUTE_S for (p, length), start in self._newest.items() if length == MINUTE_S}

    def windows(self, keys: Iterable[PaneKey], newest: int) -> Iterator[tuple[WindowKey, Pane]]:
        """The sums of every window that holds one of the panes, has lost none of its own, and is shown by now.

        Windows that are shown only once events reach beyond `newest` wait; `due` has them then.
        """
        last = {name: window.last(newest) for name, window in WINDOWS.items()}
        touched = {
            (window.name, start, partition, channel, store)
            for partition, length, pane, channel, store in keys
            for window in _WINDOWS_OF[length]
            for start in window.starts(pane)
        }
        shown = {key for key in touched if key[1] <= last[key[0]]}
        self._waiting |= touched - shown
        return self._totals(shown)

    def due(self, newest: int) -> Iterator[tuple[WindowKey, Pane]]:
        """The windows that waited for events to reach up to `newest`."""
        last = {name: window.last(newest) for name, window in WINDOWS.items()}
        shown = {key for key in self._waiting if key[1] <= last[key[0]]}
        self._waiting -= shown
        return self._totals(shown)

    def _totals(self, keys: Iterable[WindowKey]) -> Iterator[tuple[WindowKey, Pane]]:
        for name, start, partition, channel, store in keys:
            window, group = WINDOWS[name], (channel, store)
            if start + window.pane_s <= self._horizon(partition, window.pane_s):
                continue
            stretches = self._stretches.get((partition, window.pane_s), {})
            found = [
                pane
                for at in window.panes(start)
                if (stretch := stretches.get(at)) is not None
                and (pane := stretch.panes.get(group)) is not None
            ]
            if found:
                yield (name, start, partition, channel, store), total(found)


def _groups(stretch: _Stretch, sale: Sale) -> Iterator[Group]:
    yield ALL, ALL
    yield sale.channel, ALL
    group = sale.channel, sale.store
    if group in stretch.panes or len(stretch.panes) < MOST_GROUPS:
        yield group

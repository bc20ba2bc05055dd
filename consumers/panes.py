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

from consumers.sketch import Sketch, union

MINUTE_S = 60
TEN_MINUTES_S = 600
UNITS = 10_000  # money is counted in whole ten-thousandths, so that sums do not depend on their order
MOST_GROUPS = 200  # of one pane; what comes on top counts for its channel and the whole
ALL = "*"  # a group's channel or store: any

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


WINDOWS = {
    w.name: w
    for w in (
        Window("minute", 60, 60, MINUTE_S, 120),
        Window("five_minutes", 300, 60, MINUTE_S, 120),
        Window("hour", 3_600, 3_600, TEN_MINUTES_S, 48),
        Window("sliding_hour", 3_600, 600, TEN_MINUTES_S, 288),
    )
}
# by pane length, back from the partition's newest event; windows stay to be read for longer, but change no more
RETENTION_S = {MINUTE_S: 1_800, TEN_MINUTES_S: 6 * 3_600}


@dataclass(frozen=True, slots=True)
class Sale:
    """What counts of a linked event. `at` in epoch seconds; `amount` in units, None where there is no order."""

    offset: int
    at: int
    channel: str
    store: str
    profile: int
    currency: str
    amount: int | None


_HEAD = struct.Struct(">qqqI")


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


class Panes:
    """All panes of the partitions held, over a mapping that somebody else keeps safe."""

    def __init__(self, stored: MutableMapping[PaneKey, bytes]) -> None:
        self._stored = stored
        self._panes: dict[PaneKey, Pane] = {}
        self._by_start: dict[tuple[int, int], dict[int, set[PaneKey]]] = {}
        self._newest: dict[tuple[int, int], int] = {}
        self.dirty: set[PaneKey] = set()
        self.reload()

    def reload(self) -> None:
        """The mapping was filled by somebody else: index it, and mark everything to be served anew."""
        self._by_start.clear()
        self._newest.clear()
        self._panes = {key: Pane.from_bytes(data) for key, data in self._stored.items()}
        for key in self._panes:
            self._index(key)
        self.dirty = set(self._panes)

    def fold(self, partition: int, sales: Iterable[Sale]) -> dict[int, int]:
        """Fold a partition's events in, in order of offset. Returns how many came too late, by pane length."""
        late = dict.fromkeys(RETENTION_S, 0)
        changed: set[PaneKey] = set()
        for sale in sales:
            for length in RETENTION_S:
                if sale.at < self._horizon(partition, length):
                    late[length] += 1
                    continue
                for key in self._keys(partition, length, sale):
                    if self._open(key).add(sale):
                        changed.add(key)
        self._expire(partition)
        for key in changed & self._panes.keys():  # a batch of a replay may span more than is kept
            self._stored[key] = self._panes[key].to_bytes()
            self.dirty.add(key)
        return late

    def _keys(self, partition: int, length: int, sale: Sale) -> Iterator[PaneKey]:
        start = sale.at // length * length
        yield partition, length, start, ALL, ALL
        yield partition, length, start, sale.channel, ALL
        key = partition, length, start, sale.channel, sale.store
        groups = self._by_start[partition, length][start]
        if key in groups or len(groups) < MOST_GROUPS:
            yield key

    def _open(self, key: PaneKey) -> Pane:
        pane = self._panes.get(key)
        if pane is None:
            pane = self._panes[key] = Pane()
            self._index(key)
        return pane

    def _index(self, key: PaneKey) -> None:
        partition, length, start, _, _ = key
        place = partition, length
        self._by_start.setdefault(place, {}).setdefault(start, set()).add(key)
        self._newest[place] = max(start, self._newest.get(place, start))

    def _horizon(self, partition: int, length: int) -> int:
        newest = self._newest.get((partition, length))
        return 0 if newest is None else newest - RETENTION_S[length]

    def _expire(self, partition: int) -> None:
        for length in RETENTION_S:
            starts, horizon = self._by_start.get((partition, length), {}), self._horizon(partition, length)
            for start in [s for s in starts if s + length <= horizon]:
                for key in starts.pop(start):
                    del self._panes[key]
                    self._stored.pop(key, None)
                    self.dirty.discard(key)

    def newest(self) -> dict[int, int]:
        """The end of the newest minute of each partition."""
        return {p: start + MINUTE_S for (p, length), start in self._newest.items() if length == MINUTE_S}

    def windows(self, keys: Iterable[PaneKey]) -> Iterator[tuple[WindowKey, Pane]]:
        """The sums of every window that holds one of the panes and has lost none of its own."""
        touched = {
            (window.name, start, partition, channel, store)
            for partition, length, pane, channel, store in keys
            for window in WINDOWS.values()
            if window.pane_s == length
            for start in window.starts(pane)
            if start + length > self._horizon(partition, length)
        }
        for name, start, partition, channel, store in touched:
            window = WINDOWS[name]
            found = [
                pane
                for at in window.panes(start)
                if (pane := self._panes.get((partition, window.pane_s, at, channel, store))) is not None
            ]
            if found:
                yield (name, start, partition, channel, store), total(found)

"""What the gateway reads of the consumers' work in Redis. Clients have to decode responses to text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import orjson
from redis.asyncio import Redis

from consumers.live import Partial, read_field, read_value
from consumers.panes import ALL, UNITS, WINDOWS
from consumers.recommendations import BREADTH, LIST_TTL_S, LONGEST_LIST, MOST_ITEMS
from consumers.redis_port import script_text, translated
from pipeline.errors import BadInput

_MOST_HOPS = 32


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An item, its score, and the owned item that speaks for it most (None: it is just popular)."""

    sku: str
    score: float
    because: str | None


@dataclass(frozen=True, slots=True)
class Recommendations:
    """For the surviving profile. `fallback`: nothing goes with its items yet, so this is what is popular; `withheld`:
    it does not consent to any."""

    profile_id: UUID
    items: tuple[Suggestion, ...]
    fallback: bool
    withheld: bool = False


async def recommendations(
    redis: Redis, profile_id: UUID, limit: int = 10, unsaid: str = ""
) -> Recommendations | None:
    """The best `limit` (at most 50) items for a profile, best first; merges are followed. None: no such profile.

    Of popular items the score is the number of profiles that own them. `unsaid` is what a profile withholds whose
    state did not come yet (`consumers.recommendations.withheld`). Raises CacheUnavailable.
    """
    with translated():
        found = await _survivor(redis, str(profile_id), unsaid)
        if found is None:
            return None
        survivor, withheld = found
        if "l" in withheld:
            return Recommendations(UUID(survivor), (), fallback=False, withheld=True)
        items = await _list(redis, survivor, unsaid)
        fallback = not items
        if fallback:
            items = await _popular(redis, survivor, limit)
    return Recommendations(UUID(survivor), items[: max(0, min(limit, LONGEST_LIST))], fallback)


async def _survivor(redis: Redis, profile_id: str, unsaid: str) -> tuple[str, str] | None:
    """The profile that an id leads to, and what it withholds."""
    for _ in range(_MOST_HOPS):
        pipe = redis.pipeline(transaction=False)
        pipe.hmget(f"rb:rec:state:{profile_id}", ["merged_into", "records", "pending", "withheld"])
        pipe.exists(f"rb:profile:{profile_id}")
        (merged_into, records, pending, withheld), cached = await pipe.execute()
        if not merged_into:
            there = cached or pending or records is not None
            return (profile_id, withheld or (unsaid if records is None else "")) if there else None
        profile_id = cast(str, merged_into)
    return None


async def _list(redis: Redis, profile_id: str, unsaid: str) -> tuple[Suggestion, ...]:
    pipe = redis.pipeline(transaction=False)
    pipe.get(f"rb:rec:{profile_id}")
    pipe.sismember("rb:rec:stale", profile_id)
    made, stale = await pipe.execute()
    if made is None or stale:
        recommend = redis.register_script(script_text("recommend"))
        await recommend(args=[LONGEST_LIST, BREADTH, LIST_TTL_S, unsaid, 0, profile_id])
        made = await cast(Awaitable[str | None], redis.get(f"rb:rec:{profile_id}")) or "[]"
    return tuple(
        Suggestion(item["sku"], float(item["score"]), item["because"]) for item in orjson.loads(made)
    )


async def _popular(redis: Redis, profile_id: str, limit: int) -> tuple[Suggestion, ...]:
    pipe = redis.pipeline(transaction=False)
    pipe.zrevrange("rb:rec:popular", 0, limit + MOST_ITEMS - 1, withscores=True)
    pipe.smembers(f"rb:rec:owned:{profile_id}")
    popular, owned = await pipe.execute()
    return tuple(Suggestion(sku, float(score), None) for sku, score in popular if sku not in owned)


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums of one window. Revenue by ISO 4217 currency (XXX: none was named)."""

    events: int
    orders: int
    revenue: Mapping[str, float]
    profiles: int


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one channel and store; an empty store: events that name none."""

    channel: str
    store: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class LiveWindow:
    """Events with start <= occurred_at < end. `total` covers what was asked for, `groups` lists its parts."""

    start: datetime
    end: datetime
    total: Figures
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class LiveInsights:
    """The newest windows of a kind, newest first, measured from the newest event seen."""

    window: str
    newest_event_at: datetime | None
    windows: tuple[LiveWindow, ...]


async def live_insights(
    redis: Redis, window: str = "minute", channel: str | None = None, store: str | None = None, last: int = 1
) -> LiveInsights:
    """The `last` newest windows: minute, five_minutes (hopping), hour, sliding_hour (hopping).

    Distinct profiles are exact up to 256 a partition and estimated beyond (consumers/sketch.py); asked for a store
    without a channel, a profile counts once for each channel. Raises BadInput, CacheUnavailable.
    """
    if window not in WINDOWS:
        raise BadInput("window", f"has to be one of {', '.join(WINDOWS)}")
    kind = WINDOWS[window]
    if not 1 <= last <= kind.kept:
        raise BadInput("last", f"has to be from 1 to {kind.kept}")
    with translated():
        ends = await cast(Awaitable[Mapping[str, str]], redis.hgetall("rb:insights:newest"))
        if not ends:
            return LiveInsights(window, None, ())
        newest = max(int(end) for end in ends.values())
        first = kind.last(newest)
        starts = [first - i * kind.hop_s for i in range(last)]
        pipe = redis.pipeline(transaction=False)
        for start in starts:
            pipe.hgetall(f"rb:insights:{window}:{start}")
        found = await pipe.execute()
    shown = tuple(
        _window(start, kind.size_s, fields, channel, store)
        for start, fields in zip(starts, found, strict=True)
    )
    return LiveInsights(window, _time(newest), shown)


def _window(
    start: int, size_s: int, fields: Mapping[str, str], channel: str | None, store: str | None
) -> LiveWindow:
    partials: dict[tuple[str, str], list[Partial]] = defaultdict(list)
    for field, value in fields.items():
        _, in_channel, in_store = read_field(field)
        partials[in_channel, in_store].append(read_value(value))
    groups = tuple(
        Group(c, s, _sum(values))
        for (c, s), values in sorted(partials.items())
        if ALL not in (c, s) and channel in (None, c) and store in (None, s)
    )
    if store is None:
        total = _sum(partials.get((channel or ALL, ALL), []))
    else:
        total = _sum([p for g in groups for p in partials[g.channel, g.store]])
    return LiveWindow(_time(start), _time(start + size_s), total, groups)


def _sum(partials: Sequence[Partial]) -> Figures:
    revenue: dict[str, int] = defaultdict(int)
    for _, _, amounts, _ in partials:
        for currency, units in amounts.items():
            revenue[currency] += units
    return Figures(
        events=sum(p[0] for p in partials),
        orders=sum(p[1] for p in partials),
        revenue={currency: units / UNITS for currency, units in sorted(revenue.items())},
        profiles=sum(p[3] for p in partials),
    )


def _time(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)

"""Recommendations: item-to-item co-purchase counts in Redis, and a list of items for each profile.

The counts are a pure function of two facts, which items each record bought (`events.linked`) and which records each
profile holds (`profiles.updates`). So they follow merges, splits and rollbacks exactly, and a replay from any offset
changes nothing. consumers/ownership.py says how; consumers/lua/count.lua what lies in Redis, and
consumers/lua/recommend.lua makes the lists.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import orjson
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import WatchError

from consumers.cache import profile_id_of
from consumers.loop import Projection, run
from consumers.ownership import Books, Bought, Changes, Fact, Gone, State
from consumers.redis_port import script_text, translated
from pipeline.settings import Settings
from schemas.topics import topics

MOST_ITEMS = 40  # items counted a profile: bounds what one more can cost at 40 pairs
LONGEST_LIST = 50
BREADTH = 20  # neighbours looked at an item
LIST_TTL_S = 3_600  # other people's purchases reach a list within the hour, its own at once
_CHUNK = 500  # facts a script call: bounds how long Redis does nothing else
_LISTS_A_CALL = 10
_LISTS_AT_REST = 100
_SHARE_OF_TIME = 0.05  # for lists that nobody asked for yet


class RecommendationCounts:
    """The projection (`consumers.loop.Projection`) behind recommendations."""

    name = "recommendations"
    topics = ("profiles.updates", "events.linked")

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._count = redis.register_script(script_text("count"))
        self._recommend = redis.register_script(script_text("recommend"))
        self._rested = -math.inf
        self._lists_s = 0.0
        # an erased profile is remembered for as long as an old event may come again and name it
        self._remember_s = 3_600 * (topics()["events.linked"].retention_hours or 24 * 365) + 86_400

    def read(self, topic: str, key: bytes | None, value: Mapping[str, object] | None) -> Fact | None:
        """See `Projection`. Events without items say nothing of interest."""
        if topic == "profiles.updates":
            return _state(profile_id_of(key), value)
        return None if value is None else _bought(value)

    def apply(self, facts: Sequence[Fact]) -> None:
        """See `Projection`. Lists become stale; who reads a stale one makes it anew."""
        for start in range(0, len(facts), _CHUNK):
            with translated():
                while not self._apply(facts[start : start + _CHUNK]):
                    pass  # another worker changed what we read, and so got on itself

    def _apply(self, facts: Sequence[Fact]) -> bool:
        """Fold what stands and write it back, unless somebody changed it meanwhile."""
        with self._redis.pipeline() as pipe:
            books = Books(partial(_fetch, pipe), MOST_ITEMS)
            changes = books.fold(facts)
            if not books.changed_profiles and not books.changed_records:
                return True
            pipe.multi()
            self._count(args=self._written(books, changes), client=pipe)
            try:
                pipe.execute()
            except WatchError:
                return False
        return True

    def _written(self, books: Books, changes: Changes) -> list[bytes | str]:
        """What consumers/lua/count.lua takes."""
        stale, listless, expire, delete = [], [], [], []
        texts: list[bytes | str] = []
        for name in books.changed_profiles:
            profile = books.profiles[name]
            texts += (f"rb:rec:state:{name}", profile.text())
            if profile.erased:
                expire.append(f"rb:rec:state:{name}")
        for name in books.changed_records:
            record = books.records[name]
            if record.items or record.holders:
                texts += (f"rb:rec:record:{name}", record.text())
            else:
                delete.append(f"rb:rec:record:{name}")
        for name in books.stale:
            if books.profiles[name].owned:
                stale.append(name)
            else:
                listless.append(name)
                delete.append(f"rb:rec:{name}")
        control = {
            **changes,
            "stale": stale,
            "listless": listless,
            "delete": delete,
            "expire": expire,
            "remember_s": self._remember_s,
        }
        return [orjson.dumps(control), *texts]

    def rest(self) -> None:
        """See `Projection`: makes stale lists, for a twentieth of the time."""
        started = time.monotonic()
        if started < self._rested + self._lists_s * (1 / _SHARE_OF_TIME - 1):
            return
        made = 0
        while made < _LISTS_AT_REST and self._make_lists() == _LISTS_A_CALL:
            made += _LISTS_A_CALL
        self._rested = time.monotonic()
        self._lists_s = self._rested - started

    def _make_lists(self) -> int:
        with translated():
            return cast(int, self._recommend(args=[LONGEST_LIST, BREADTH, LIST_TTL_S, _LISTS_A_CALL]))


def _fetch(pipe: Pipeline, profiles: Sequence[str], records: Sequence[str]) -> Sequence[str | None]:
    """Texts, watched from here on: what is written back rests on them."""
    keys = [*(f"rb:rec:state:{p}" for p in profiles), *(f"rb:rec:record:{r}" for r in records)]
    pipe.watch(*keys)  # type: ignore[no-untyped-call]
    return cast(list[str | None], pipe.mget(keys))


def _state(profile_id: str, value: Mapping[str, object] | None) -> Fact:
    if value is None:
        return Gone(profile_id)
    merged_into = cast(str | None, value["merged_into"])
    records = [] if merged_into else cast(list[str], value["record_ids"])
    return State(profile_id, cast(int, value["version"]), records, merged_into or "")


def _bought(value: Mapping[str, object]) -> Fact | None:
    order = cast(Mapping[str, object] | None, value["order"])
    items = cast(Sequence[Mapping[str, object]], order["items"]) if order else ()
    if not items:
        return None
    return Bought(
        cast(str, value["profile_id"]),
        cast(int, value["profile_version"]),
        cast(str, value["record_id"]),
        frozenset([cast(str, item["sku"]) for item in items]),
    )


def main(settings: Settings) -> None:
    """Run the recommendations consumer until SIGTERM."""
    make: Callable[[Redis], Projection[Fact]] = RecommendationCounts
    run(settings, make)

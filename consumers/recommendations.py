"""Recommendations: item-to-item co-purchase counts in Redis, and a list of items for each profile.

The counts are a pure function of two facts, which items each record bought (`events.linked`) and which records each
profile holds (`profiles.updates`). So they follow merges, splits and rollbacks exactly, and a replay from any offset
changes nothing. consumers/lua/fold.lua says how; consumers/lua/recommend.lua makes the lists.

Whoever does not consent to `personalisation` gets no list; whoever does not to `analytics` is not counted in others'.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

import orjson
from redis import Redis

from consumers.cache import profile_id_of
from consumers.loop import run
from consumers.redis_port import script_text, translated
from pipeline.configuration import load_policy
from pipeline.identity.consent import ANALYTICS, PERSONALISATION, PURPOSES, ConsentState, allows
from pipeline.settings import Settings
from schemas.topics import topics

MOST_ITEMS = 40  # items counted a profile: bounds what one more can cost at 40 pairs
LONGEST_LIST = 50
BREADTH = 20  # neighbours looked at an item
LIST_TTL_S = 3_600  # other people's purchases reach a list within the hour, its own at once
_CHUNK = 200  # facts a script call: bounds how long Redis does nothing else
_LISTS_A_CALL = 10
_LISTS_AT_REST = 100
_SHARE_OF_TIME = 0.05  # for lists that nobody asked for yet


class Fact(TypedDict, total=False):
    """What the script folds; consumers/lua/fold.lua explains the letters."""

    k: str
    p: str
    v: int
    r: str | list[str]
    s: list[str]
    m: str
    w: str


class RecommendationCounts:
    """The projection (`consumers.loop.Projection`) behind recommendations."""

    name = "recommendations"
    topics = ("profiles.updates", "events.linked")

    def __init__(self, redis: Redis, purposes: Mapping[str, ConsentState] = PURPOSES) -> None:
        self._purposes = purposes
        self._unsaid = withheld({}, purposes)
        self._fold = redis.register_script(script_text("fold"))
        self._recommend = redis.register_script(script_text("recommend"))
        self._rested = -math.inf
        self._lists_s = 0.0
        # an erased profile is remembered for as long as an old event may come again and name it
        self._remember_s = 3_600 * (topics()["events.linked"].retention_hours or 24 * 365) + 86_400

    def read(self, topic: str, key: bytes | None, value: Mapping[str, object] | None) -> Fact | None:
        """See `Projection`. Events without items say nothing of interest."""
        if topic == "profiles.updates":
            return self._state(profile_id_of(key), value)
        return None if value is None else _items(value)

    def apply(self, facts: Sequence[Fact]) -> None:
        """See `Projection`. Lists become stale; who reads a stale one makes it anew."""
        for start in range(0, len(facts), _CHUNK):
            chunk = orjson.dumps(facts[start : start + _CHUNK])
            with translated():
                self._fold(args=[MOST_ITEMS, self._remember_s, self._unsaid, chunk])

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
            return cast(
                int, self._recommend(args=[LONGEST_LIST, BREADTH, LIST_TTL_S, self._unsaid, _LISTS_A_CALL])
            )

    def _state(self, profile_id: str, value: Mapping[str, object] | None) -> Fact:
        if value is None:
            return Fact(k="gone", p=profile_id)
        merged_into = cast(str | None, value["merged_into"])
        records = [] if merged_into else cast(list[str], value["record_ids"])
        fact = Fact(k="state", p=profile_id, v=cast(int, value["version"]), r=records, m=merged_into or "")
        said = cast(Sequence[Mapping[str, str]], value["consent"])
        states = {one["purpose"]: ConsentState(one["state"]) for one in said}
        if kept_back := withheld(states, self._purposes) if said else self._unsaid:
            fact["w"] = kept_back
        return fact


def withheld(said: Mapping[str, ConsentState], purposes: Mapping[str, ConsentState]) -> str:
    """What a profile does not consent to, as the scripts know it: `c` to be counted for others, `l` to a list."""
    asked = {"c": ANALYTICS, "l": PERSONALISATION}
    return "".join(letter for letter, purpose in asked.items() if not allows(purpose, said, purposes))


def _items(value: Mapping[str, object]) -> Fact | None:
    order = cast(Mapping[str, object] | None, value["order"])
    items = cast(Sequence[Mapping[str, object]], order["items"]) if order else ()
    skus = sorted({cast(str, item["sku"]) for item in items})
    if not skus:
        return None
    return Fact(
        k="items",
        p=cast(str, value["profile_id"]),
        v=cast(int, value["profile_version"]),
        r=cast(str, value["record_id"]),
        s=skus,
    )


def main(settings: Settings) -> None:
    """Run the recommendations consumer until SIGTERM."""
    policy = load_policy(settings)
    run(settings, lambda redis: RecommendationCounts(redis, policy.purposes))

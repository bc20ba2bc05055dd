"""What the recommendations consumer keeps in Redis, read whole."""

from __future__ import annotations

from collections import Counter
from typing import cast

from redis import Redis


def owned_in(redis: Redis) -> dict[str, set[str]]:
    """The items counted for each profile."""
    keys = cast(list[str], list(redis.scan_iter("rb:rec:owned:*")))
    return {key.rsplit(":", 1)[1]: cast(set[str], redis.smembers(key)) for key in keys}


def counts_in(redis: Redis) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Owners by item, and owners by ordered pair of items."""
    popular = Counter({str(m): int(s) for m, s in redis.zrange("rb:rec:popular", 0, -1, withscores=True)})
    together: Counter[tuple[str, str]] = Counter()
    for key in redis.scan_iter("rb:rec:co:*"):
        item = key.removeprefix("rb:rec:co:")
        for other, score in redis.zrange(key, 0, -1, withscores=True):
            together[item, str(other)] = int(score)
    return popular, together

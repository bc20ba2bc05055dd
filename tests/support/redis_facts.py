"""What the recommendations consumer keeps in Redis, read whole."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import cast

from redis import Redis


def owned_in(redis: Redis) -> dict[str, set[str]]:
    """The items counted for each profile."""
    keys = cast(list[str], list(redis.scan_iter("rb:rec:owned:*")))
    return {key.rsplit(":", 1)[1]: cast(set[str], redis.smembers(key)) for key in keys}


def counts_in(redis: Redis) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Owners by item, and owners by ordered pair of items."""
    popular = Counter({str(m): int(s) for m, s in redis.zrange("rb:rec:popular", 0, -1, withscores=True)})
    owners = {
        key.removeprefix("rb:rec:owners:"): {str(m) for m in redis.zrange(key, 0, -1)}
        for key in redis.scan_iter("rb:rec:owners:*")
    }
    assert popular == {item: len(profiles) for item, profiles in owners.items()}
    together = Counter({(a, b): len(owners[a] & owners[b]) for a, b in permutations(owners, 2)})
    return popular, +together

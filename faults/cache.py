"""The cache against Postgres and the topic: no key too many, none missing, each with the newest state."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import cast

import orjson
from redis import Redis

from faults.finding import Finding, FindingKind
from faults.state import ProfileState

_KEY = "rb:profile:"
_POLL_S = 0.2
_CHUNK = 1_000

Entry = Mapping[str, str]


def cache_findings(
    url: str,
    stored: Mapping[str, ProfileState],
    messages: Mapping[str, Mapping[str, object]],
    timeout_s: float,
) -> list[Finding]:
    """What is other than it should be once the cache has had so long to catch up.

    `messages` are the newest of the topic by profile: the state of each key has to equal its message.
    """
    states = {profile: orjson.loads(orjson.dumps(message)) for profile, message in messages.items()}
    deadline = time.monotonic() + timeout_s
    with closing(Redis.from_url(url, decode_responses=True)) as redis:
        while True:
            found = list(_differences(_entries(redis), stored, states))
            if not found or time.monotonic() >= deadline:
                return found
            time.sleep(_POLL_S)


def _entries(redis: Redis) -> dict[str, Entry]:
    keys = sorted({cast(str, key) for key in redis.scan_iter(f"{_KEY}*", count=_CHUNK)})
    found: dict[str, Entry] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        pipe = redis.pipeline(transaction=False)
        for key in chunk:
            pipe.hgetall(key)
        entries = cast(list[Entry], pipe.execute())
        found |= {key.removeprefix(_KEY): entry for key, entry in zip(chunk, entries, strict=True)}
    return found


def _differences(
    entries: Mapping[str, Entry], stored: Mapping[str, ProfileState], states: Mapping[str, object]
) -> Iterator[Finding]:
    for profile in sorted(entries.keys() - stored.keys()):
        yield Finding(FindingKind.CACHE_SURPLUS, f"key {_KEY}{profile}", "a key", "none, as in Postgres")
    for profile, stands in stored.items():
        key = f"key {_KEY}{profile}"
        if profile not in entries:
            yield Finding(FindingKind.CACHE_MISSING, key, "no key", f"version {stands.version}")
            continue
        entry = entries[profile]
        if entry.get("version") != str(stands.version):
            seen, expected = f"version {entry.get('version')}", f"version {stands.version}"
            yield Finding(FindingKind.CACHE_VERSION, key, seen, expected)
        if profile in states and _read(entry.get("state")) != states[profile]:
            expected = orjson.dumps(states[profile]).decode()
            yield Finding(FindingKind.CACHE_STATE, key, entry.get("state") or "no state", expected)


def _read(state: str | None) -> object:
    try:
        return orjson.loads(state or "")
    except orjson.JSONDecodeError:
        return None

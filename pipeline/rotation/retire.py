"""What rests on a version of the keys, and giving one up on which nothing rests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from psycopg import sql as composed
from redis import Redis
from redis.exceptions import RedisError

from pipeline.audit.actions import Action
from pipeline.dead_letters.content import read_content
from pipeline.dead_letters.opening import opened
from pipeline.errors import CacheUnavailable, Conflict, SealBroken
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.ring_file import RingFile
from pipeline.rotation.rotate import Asked, lock_place
from pipeline.rotation.work import House
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction, sql
from pipeline.store.dead_letters import read_messages
from pipeline.store.key_versions import Step, StoredVersions, stored_versions

_ANSWERS = "rb:once:*"
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A version of the ring, and what rests on it: in counts by where that lies, in words otherwise."""

    version: int
    resting: Mapping[str, int]
    uses: tuple[str, ...]


def kept(tx: Transaction, house: House, redis: Redis) -> tuple[Kept, ...]:
    """Every version that is held. Raises CacheUnavailable."""
    stored, letters = stored_versions(tx), _letters(tx, house)
    return tuple(
        Kept(
            version,
            {where: n for where, n in _resting(tx, stored, version, redis, letters).items() if n},
            _uses(house.ring, stored, version),
        )
        for version in house.ring.versions
    )


def _uses(ring: KeyRing, stored: StoredVersions, version: int) -> tuple[str, ...]:
    versions = stored.known_to(ring)
    told = {
        "current: new data keys, signatures": ring.current.version,
        "records are found by it": versions.looked_up,
        "made ready by a rotation": versions.filling,
        "cleared away by a rotation": versions.leaving,
    }
    return tuple(use for use, by in told.items() if by == version)


def _resting(
    tx: Transaction, stored: StoredVersions, version: int, redis: Redis, letters: Mapping[int, int]
) -> dict[str, int]:
    wrapped, hashes, keys = tx.row("resting_on", {"version": version}) or (0, 0, 0)
    leaves = stored.other == version and stored.step is not Step.FILL
    found = {"data_key": wrapped, "record_identifier": hashes, "match_key": keys if leaves else 0}
    for (schema,) in tx.rows("shadows"):
        query = composed.SQL(sql("resting_in_shadow")).format(shadow=composed.Identifier(schema))
        row = tx.connection.execute(query, (version,)).fetchone()
        found[f"{schema}.data_key"] = row[0] if row else 0
    found["dead letters of events.normalized"] = letters.get(version, 0)
    found["answers remembered for a day (Redis)"] = _answers(redis, version)
    return found


def _letters(tx: Transaction, house: House) -> Counter[int]:
    """By which versions normalized events are hashed that became dead letters: by these hashes they are found when
    somebody is to be forgotten. They can be replayed whatever they are hashed by."""
    found: Counter[int] = Counter()
    ids = [letter for (letter,) in tx.rows("normalized_letters")]
    for start in range(0, len(ids), _CHUNK):
        for letter in read_messages(tx, ids[start : start + _CHUNK]):
            with suppress(Conflict, SealBroken):  # what does not open nobody can read
                value = opened(house.ring, letter, letter.topic).value or b""
                fields = read_content(house.codec, letter.topic, value).fields or {}
                if isinstance(record := fields.get("record"), Mapping):
                    found[int(record["hash_key_version"])] += 1
    return found


def _answers(redis: Redis, version: int) -> int:
    """Answers to writes that are sealed under a data key which that version wraps (gateway/answers.py)."""
    count = 0
    try:
        for name in redis.scan_iter(_ANSWERS, count=1_000):
            sealed = redis.getrange(name, 0, 5)
            text = sealed if isinstance(sealed, str) else sealed.decode("ascii", "replace")
            count += text.split(" ")[0] == str(version)
    except RedisError as exc:
        raise CacheUnavailable(str(exc)) from exc
    return count


def retire(house: House, version: int, asked: Asked, file: RingFile | None, redis: Redis) -> None:
    """Take a version out of the ring's file. Its public keys stay, so that what it signed can be checked; and where it
    names records, the one secret that does.

    Raises Conflict that tells all that rests on it, ConfigurationError (it is not held), CacheUnavailable.
    """
    if file is None:
        raise Conflict("the key ring stands in RB_KEY_RING: take the version out there, as docs/keys.md says")
    with house.database.transaction() as tx:
        lock_place(tx)
        house.ring.hash_keys(version)
        found = next(one for one in kept(tx, house, redis) if one.version == version)
        told = [*found.uses, *(f"{count:,} in {where}" for where, count in found.resting.items())]
        if told:
            raise Conflict(f"version {version} cannot be retired: {'; '.join(told)}")
        write_audit(tx, asked.entry(Action.KEYS_RETIRED, version))
        file.replace(house.ring.without(version))
    house.ring.refresh()

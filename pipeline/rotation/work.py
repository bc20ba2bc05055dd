"""The steps of a rotation: each takes so many rows in one transaction, and says from where to go on.

Whoever runs them holds the lock that keeps switches out (pipeline/store/activations.py) and that of the rotation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from pipeline.announce import Announcer
from pipeline.identity.ids import Id
from pipeline.identity.settle import ProfileAfter
from pipeline.identity.sharing import person_tag
from pipeline.identity.twins import likeness_number
from pipeline.ids import new_id
from pipeline.match_keys import pack_match_keys, unpack_match_keys
from pipeline.privacy.keyring import KeyRing
from pipeline.store.database import Database, Transaction
from pipeline.store.identity_store import open_record, renamed_keys, winners
from pipeline.store.identity_writer import Author
from pipeline.store.key_versions import KeyVersions, Step
from pipeline.store.rekeyed import rehashed, remember_rekeyed
from schemas.codec import Codec

FIRST = Id(bytes(16))
"""Before all ids."""


@dataclass(frozen=True, slots=True)
class House:
    """What a rotation works on."""

    database: Database
    ring: KeyRing
    codec: Codec


class Taken(NamedTuple):
    """How many rows were taken, and the id behind which it goes on; None at the end of all."""

    rows: int
    at: Id | None


@dataclass(frozen=True, slots=True)
class Page:
    """Where a step is, and how many rows it is to take."""

    versions: KeyVersions
    place: Id
    limit: int


def fill(tx: Transaction, house: House, page: Page) -> Taken:
    """Hash the next records under the version that is made ready, just as they are filed. What nobody can open has
    nothing to hash. Raises SealBroken: `verify` tells which record it is."""
    rows = tx.rows("records_to_rehash", {"place": page.place, "limit": page.limit})
    assert page.versions.filling is not None
    old, new = (house.ring.hash_keys(v) for v in (page.versions.looked_up, page.versions.filling))
    opened = [open_record(house.ring, *row) for row in rows if row[2] is not None]
    twins = {record.record_id: rehashed(record, old, new) for record in opened}
    traits = {record.record_id: record.traits for record in opened}
    asked = {key for twin in twins.values() for key in twin.keys}
    filed = tx.rows("filed_under", {"keys": sorted(asked), "records": list(twins)})
    also = [
        (
            twins[r].keys[key],
            kinds,
            person_tag(traits[r], new.match),
            likeness_number(traits[r], new.match),
            r,
        )
        for r, key, kinds in filed
        if key in twins[r].keys  # else a program that derived others filed it: nobody looks for it
    ]
    if also:
        tx.run("file_also", tuple(map(list, zip(*also, strict=True))))
    identified = [
        (r, kind, value, new.version) for r, twin in twins.items() for kind, value in twin.identifiers
    ]
    if identified:
        tx.run("identify_also", tuple(map(list, zip(*identified, strict=True))))
    remember_rekeyed(tx, twins.values())
    return Taken(len(rows), rows[-1][0] if rows else None)


def rename_evidence(tx: Transaction, house: House, page: Page) -> Taken:
    """Call the keys by which evidence was found as they are called now. Until then whoever reads it does."""
    rows = tx.rows("evidence_behind", {"place": page.place, "limit": page.limit})
    now = renamed_keys(tx, [unpack_match_keys(via) for *_, via in rows])
    new = [(low, high, via, pack_match_keys(keys)) for (low, high, via), keys in zip(rows, now, strict=True)]
    changed = [row for row in new if row[2] != row[3]]
    if changed:
        tx.run("rename_via", tuple(map(list, zip(*changed, strict=True))))
    return Taken(len(rows), rows[-1][0] if rows else None)


def drop_match_keys(tx: Transaction, house: House, page: Page) -> Taken:
    """Remove the next match keys that nothing is found by any more; at last those of records that nobody can open."""
    keys, _ = tx.row("drop_rekeyed", (page.limit,)) or (0, 0)
    if keys:
        return Taken(keys, FIRST)
    if sealed := [r for (r,) in tx.rows("records_without_key")]:
        tx.run("erase_match_keys_of_sealed", {"records": sealed})
    return Taken(0, None)


def drop_identifiers(tx: Transaction, house: House, page: Page) -> Taken:
    """Remove the value hashes of the next records that nothing is found by any more."""
    asked = {"place": page.place, "limit": page.limit, "version": page.versions.leaving}
    last, count = tx.row("drop_identifiers", asked) or (None, 0)
    return Taken(count, last)


def announce(tx: Transaction, house: House, page: Page) -> Taken:
    """Tell of the next profiles, a version more each: their hashes are others now."""
    asked = {"place": page.place, "limit": page.limit}
    found = [p for (p,) in tx.rows("profiles_to_announce", asked)]
    # who was merged away in between holds no hashes, and was told of
    profiles = [p for p, _, _, is_merged, *_ in tx.rows("lock_profiles", (found,)) if not is_merged]
    now = datetime.now(
        UTC
    )  # behind the locks: no state of a profile is told with an earlier time than the one before
    tx.run("raise_versions", {"now": now, "profiles": profiles})
    states = {
        profile: ProfileAfter(
            profile_id=profile,
            version=version,
            is_new=False,
            created_at=created,
            records=frozenset(records) | frozenset(winners(golden).values()),  # nobody may be able to open it
            golden=winners(golden),
            contested=contested,
            change="linked",
            merged_into=into,
        )
        for profile, version, created, golden, contested, into, records in tx.rows(
            "profiles_swapped", (profiles,)
        )
    }
    author = Author("keys", None, "", "", now, new_id)
    Announcer(tx, house.codec, author).profiles(states)
    return Taken(len(found), found[-1] if found else None)


def rewrap(tx: Transaction, house: House, page: Page) -> Taken:
    """Wrap the next data keys under the current version."""
    version = house.ring.current.version
    asked = {"place": page.place, "limit": page.limit, "version": version}
    rows = tx.rows("data_keys_to_rewrap", asked)
    if not rows:
        return Taken(0, None)
    fresh = [house.ring.wrap(house.ring.unwrap(wrapped, v, owner), owner) for owner, wrapped, v in rows]
    tx.run(
        "rewrap_data_keys",
        {
            "version": version,
            "owners": [owner for owner, *_ in rows],
            "old": [wrapped for _, wrapped, _ in rows],
            "wrapped": [key.wrapped for key in fresh],
        },
    )
    return Taken(len(rows), rows[-1][0])


Work = Callable[[Transaction, House, Page], Taken]

WORK: Mapping[Step, Work] = {
    Step.FILL: fill,
    Step.EVIDENCE: rename_evidence,
    Step.MATCH_KEYS: drop_match_keys,
    Step.IDENTIFIERS: drop_identifiers,
    Step.ANNOUNCE: announce,
    Step.REWRAP: rewrap,
}
LEFT: Mapping[Step, str] = {
    Step.FILL: "left_to_rehash",
    Step.EVIDENCE: "left_to_rename",
    Step.MATCH_KEYS: "left_to_drop",
    Step.IDENTIFIERS: "left_to_rehash",
    Step.ANNOUNCE: "left_to_announce",
    Step.REWRAP: "left_to_rewrap",
}
"""The queries that count what is left of each."""


def switch(tx: Transaction) -> None:
    """Have records found by what was made ready, in a transaction that stands alone. What was counted by a match key
    is counted by what that became: every limit stands as it stood."""
    tx.run("plan_for_whole_tables")
    tx.run("switch_shared")
    tx.run("switch_kept_wear")
    tx.run("switch_wear")
    tx.run("plan_for_few_rows")
    tx.run("switch_keys")

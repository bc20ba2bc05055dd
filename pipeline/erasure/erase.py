"""Erase a customer: every data key destroyed, every hash deleted, and those who stood beside decided afresh.

Nobody else decides meanwhile (pipeline/store/activations.py), so that nothing comes to the customer while it goes. What
is told outside are tombstones; the receipt is written in the same transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from psycopg import sql as composed

from pipeline.erasure.letters import letters_of
from pipeline.erasure.receipt import Receipt, remains, signed
from pipeline.errors import NotFound
from pipeline.identity.blocking import identifier_key, keys_of
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord
from pipeline.ids import new_id
from pipeline.privacy.keyring import KeyRing
from pipeline.steward import Act, Stewardship
from pipeline.store.database import Transaction
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import name_of


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did, or would do (`rehearsed`).

    `profile_id` is the customer, `profiles` all ids that led to it; `done` counts what went, by kind. `plan` names what
    is erased: whoever gives it with the act gets this or nothing. `receipt` is the signed document, None where it was
    rehearsed.
    """

    profile_id: Id
    profiles: tuple[Id, ...]
    done: Mapping[str, int]
    plan: str
    rehearsed: bool
    receipt: bytes | None


@dataclass(frozen=True, slots=True)
class _Person:
    """Who is to be forgotten."""

    profile_id: Id
    profiles: tuple[Id, ...]
    records: frozenset[Id]
    contents: Mapping[Id, IdentityRecord]


def erase_person(stewardship: Stewardship, profile_id: Id, asked: Asked) -> Erased:
    """Forget the customer that an id leads to, in one transaction.

    Raises NotFound (no such profile, or it was erased: `receipt_of` tells), Conflict (not what the plan says), BadInput
    (a blank reason), StoreUnavailable, TransactionConflict.
    """
    with stewardship.database.transaction() as tx:
        person = _person(Act.reading(stewardship, tx), profile_id)
    # each letter is opened: too long to keep all others waiting. Who comes since is new, and not forgotten
    letters = letters_of(stewardship.database, stewardship.ring, person.contents.values())
    action = partial(_erase, profile_id=profile_id, letters=letters, asked=asked, ring=stewardship.ring)
    return asked.act(stewardship, action, alone=True)


def receipt_of(tx: Transaction, profile_id: Id) -> bytes | None:
    """The signed receipt of a profile that was erased."""
    row = tx.row("erasure_of", (profile_id,))
    return None if row is None else bytes(row[0])


def _person(act: Act, profile_id: Id) -> _Person:
    led = act.tx.row("person_of", (profile_id,))
    if led is None:
        raise NotFound(f"no profile {profile_id}")
    profiles = tuple(p for (p,) in act.tx.rows("ids_of_person", (led[0],)))
    records = act.store.members(profiles)
    return _Person(led[0], profiles, records, act.store.contents(records))


def _erase(act: Act, profile_id: Id, letters: Sequence[Id], asked: Asked, ring: KeyRing) -> Erased:
    person = _person(act, profile_id)
    plan = name_of([*map(str, person.profiles), *map(str, person.records)])
    asked.must_come_to(plan)
    near = _beside(act, person.profiles)
    held = ({identifier_key(i, act.store.secret) for i in c.identifiers} for c in person.contents.values())
    freed = Counter(key for keys in held for key in keys)
    reviews = act.forget(person.profiles)
    done, last = _destroy(act, person)
    done["reviews"] = reviews
    done["dead letters"] = act.tx.run("erase_letters", {"letters": list(letters)}) if letters else 0
    done["replays in the making"] = _drop_shadows(act.tx)
    found = act.gather(near, freed)
    act.carry_out(found, act.settle(found))
    receipt = None if asked.rehearse else _told(act.tx, person, done, last, asked, ring)
    return Erased(person.profile_id, person.profiles, done, plan, asked.rehearse, receipt)


def _beside(act: Act, profiles: Collection[Id]) -> frozenset[Id]:
    """Those whom evidence or a must-link ties to the person: without them they may be decided otherwise."""
    asked = {"profiles": list(profiles), "least": act.policy.review}
    near = {p for p, _ in act.tx.rows("neighbours", asked)}
    return frozenset(near | {p for (p,) in act.tx.rows("must_linked", asked)})


def _destroy(act: Act, person: _Person) -> tuple[dict[str, int], datetime | None]:
    """Returns what went, by kind, and when the last event of theirs was accepted."""
    tx, records = act.tx, {"records": sorted(person.records)}
    hashes = tx.rows("hashes_of_records", records)
    keys = {k.key for c in person.contents.values() for k in keys_of(c, act.store.secret)}
    events, raw_keys, _, last = tx.row("erase_events", records) or (0, 0, 0, None)
    filed = tx.run("erase_match_keys", {**records, "keys": sorted(keys)})
    if sealed := person.records - person.contents.keys():
        filed += tx.run("erase_match_keys_of_sealed", {"records": sorted(sealed)})
    tx.run("keep_wear", {"keys": sorted(keys)})
    stored, own_keys, identifiers, products, evidence = tx.row("erase_records", records) or (0, 0, 0, 0, 0)
    (constraints,) = tx.row("erase_constraints", records) or (0,)
    tx.run("erase_empty_constraints")
    names = {
        **records,
        "profiles": list(person.profiles),
        "names": [str(r) for r in sorted(person.records)],
        "hashes": [f"{kind} {value_hash.hex()}" for kind, value_hash in hashes],
    }
    logged = tx.run("erase_merge_log", names)
    tx.run("erase_reviews", {"profiles": list(person.profiles)})
    (profiles,) = tx.row("erase_profiles", {"profiles": list(person.profiles)}) or (0,)
    done = {
        "data keys": raw_keys + own_keys,
        "events": events,
        "identity records": stored,
        "identifier hashes": identifiers,
        "match keys": filed,
        "purchases": products,
        "evidence": evidence,
        "constraints": constraints,
        "merge log entries": logged,
        "profiles": profiles,
        "tombstones": len(person.profiles),
    }
    return done, last


def _drop_shadows(tx: Transaction) -> int:
    """What a replay decides beside the live house holds the person as well: it is to be built anew."""
    shadows = [name for (name,) in tx.rows("shadows")]
    for name in shadows:
        tx.connection.execute(composed.SQL("DROP SCHEMA {} CASCADE").format(composed.Identifier(name)))
    return len(shadows)


def _told(
    tx: Transaction,
    person: _Person,
    done: Mapping[str, int],
    last: datetime | None,
    asked: Asked,
    ring: KeyRing,
) -> bytes:
    """The signed receipt, as it is kept."""
    erasure_id = new_id()
    document = signed(
        Receipt(
            erasure_id=UUID(bytes=bytes(erasure_id)),
            erased_at=asked.now,
            actor=asked.actor,
            reason=asked.reason,
            profiles=tuple(UUID(bytes=bytes(p)) for p in person.profiles),
            done=done,
            remains=remains(last, asked.now),
        ),
        ring,
    )
    tx.run("write_erasure", (erasure_id, asked.now, asked.actor, asked.reason, document))
    tx.run("write_erased_profiles", (list(person.profiles), erasure_id))
    return document

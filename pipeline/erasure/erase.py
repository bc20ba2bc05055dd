"""Erase a customer: every data key destroyed, every hash deleted, and those who stood beside decided afresh.

Nobody else decides meanwhile (pipeline/store/activations.py), so that nothing comes to the customer while it goes. What
is told outside are tombstones; the receipt is written in the same transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

from psycopg import sql as composed

from pipeline.audit.actions import Action
from pipeline.audit.entry import AuditEntry, named
from pipeline.erasure.letters import LetterReader, Named
from pipeline.erasure.receipt import Receipt, digest_of, remains, signed
from pipeline.errors import BadInput, NotFound
from pipeline.identity.blocking import identifier_key, keys_of
from pipeline.identity.hashing import value_hash
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentityRecord
from pipeline.ids import new_id
from pipeline.privacy.keyring import KeyRing
from pipeline.raw_event import came_at
from pipeline.steward import Act, Stewardship
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction, sql
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


@dataclass(frozen=True, slots=True)
class _Gone:
    """What went, by kind; when the last message of theirs came; and the entries of the merge log that were cut."""

    done: dict[str, int]
    last: datetime | None
    cut: tuple[Id, ...]


def erase_person(stewardship: Stewardship, profile_id: Id, asked: Asked) -> Erased:
    """Forget the customer that an id leads to, in one transaction, as a rehearsal told before.

    Raises NotFound (no such profile, or it was erased: `receipt_of` tells), Conflict (not what the plan says), BadInput
    (a blank reason, or no plan), StoreUnavailable, TransactionConflict.
    """
    if not asked.rehearse and asked.plan is None:
        raise BadInput(
            "plan", "people are forgotten as planned only; ask for a dry run first, then give its plan"
        )
    by = stewardship
    with by.database.transaction() as tx:
        person = _person(Act.reading(by, tx), profile_id)
        stored = {h for _, h in _hashes(tx, person)}
    known = Named.by(person.contents.values(), stored | _by_every_version(person, by.ring))
    # each letter is opened: too long to keep all others waiting
    reader = LetterReader(by.ring, by.codec, by.policy)
    letters = reader.owners_of(by.database, known)
    action = partial(_erase, profile_id=profile_id, letters=letters, asked=asked, ring=by.ring)
    done = asked.act(by, action, alone=True)
    if not asked.rehearse and (late := set(reader.owners_of(by.database, known)) - set(letters)):
        with by.database.transaction() as tx:  # filed meanwhile
            tx.run("erase_letters", {"owners": sorted(late)})
    return done


def forget_now(stewardship: Stewardship, profile_id: Id, asked: Asked) -> Erased:
    """Rehearse, and do just that. Raises what `erase_person` does."""
    rehearsed = erase_person(stewardship, profile_id, replace(asked, rehearse=True))
    return erase_person(stewardship, profile_id, replace(asked, plan=rehearsed.plan))


def receipt_of(tx: Transaction, profile_id: Id) -> bytes | None:
    """The signed receipt of a profile that was erased."""
    row = tx.row("erasure_of", (profile_id,))
    return None if row is None else bytes(row[0])


def _person(act: Act, profile_id: Id) -> _Person:
    led = act.tx.row("survivors", ([profile_id],))
    if led is None:
        raise NotFound(f"no profile {profile_id}")
    profiles = tuple(p for (p,) in act.tx.rows("ids_of_person", (led[1],)))
    records = act.store.members(profiles)
    return _Person(led[1], profiles, records, act.store.contents(records))


def _hashes(tx: Transaction, person: _Person) -> list[tuple[str, bytes]]:
    rows = tx.rows("hashes_of_records", {"records": sorted(person.records)})
    return [(kind, bytes(value_hash)) for kind, value_hash in rows]


def _by_every_version(person: _Person, ring: KeyRing) -> set[bytes]:
    """The person's value hashes by all versions of the keys: dead letters are hashed as they were when they came."""
    secrets = [ring.hash_keys(version).value for version in ring.versions]
    return {value_hash(s, i) for c in person.contents.values() for i in c.identifiers for s in secrets}


def _erase(act: Act, profile_id: Id, letters: Sequence[Id], asked: Asked, ring: KeyRing) -> Erased:
    person = _person(act, profile_id)
    plan = name_of([*map(str, person.profiles), *map(str, person.records)])
    asked.must_come_to(plan)
    erasure_id = new_id()
    near = _beside(act, person.profiles)
    held = ({identifier_key(i, act.store.secret) for i in c.identifiers} for c in person.contents.values())
    freed = Counter(key for keys in held for key in keys)
    act.heed(act.store.constraints(person.records))  # others stand on other sides of them without the person
    reviews = act.forget(person.profiles)
    shadows = _shred_shadows(act.tx, person)
    gone = _destroy(act, person, ring, erasure_id)
    done = gone.done
    done["reviews"] = reviews
    done["dead letters"] = act.tx.run("erase_letters", {"owners": list(letters)}) if letters else 0
    done["replays in the making"] = shadows
    found = act.gather(near, freed)
    act.note_decided(act.carry_out(found, act.settle(found)))
    receipt = None if asked.rehearse else _told(act.tx, erasure_id, person, gone, asked, ring)
    return Erased(person.profile_id, person.profiles, done, plan, asked.rehearse, receipt)


def _beside(act: Act, profiles: Collection[Id]) -> frozenset[Id]:
    """Those whom evidence or a must-link ties to the person: without them they may be decided otherwise."""
    asked = {"profiles": list(profiles), "least": act.policy.review}
    near = {p for p, _ in act.tx.rows("neighbours", asked)}
    return frozenset(near | {p for (p,) in act.tx.rows("must_linked", asked)})


def _destroy(act: Act, person: _Person, ring: KeyRing, erasure_id: Id) -> _Gone:
    tx, records = act.tx, {"records": sorted(person.records)}
    profiles = {"profiles": list(person.profiles)}
    ever = [p for (p,) in tx.rows("profiles_ever", {**records, **profiles})]
    asked: dict[str, list[str] | list[Id]] = {
        **records,
        **profiles,
        "ever": ever,
        "names": [str(r) for r in sorted(person.records)],
    }
    hashes = _hashes(tx, person)
    keys = _keys(act, person, ring)
    events, raw_keys, last = tx.row("erase_events", {**records, "erasure": erasure_id}) or (0, 0, None)
    filed = tx.run("erase_match_keys", {**records, "keys": keys})
    if sealed := person.records - person.contents.keys():
        filed += tx.run("erase_match_keys_of_sealed", {"records": sorted(sealed)})
    stored, own_keys, identifiers, products, said, evidence = tx.row("erase_records", records) or (0,) * 6
    tx.run("forget_wear", {"keys": keys})
    tx.run("keep_wear", {"keys": keys})
    tx.run("forget_rekeyed", {"keys": keys})
    (constraints,) = tx.row("erase_constraints", records) or (0,)
    tx.run("erase_empty_constraints")
    hashes += tx.rows("hashes_nobody_holds", {"ever": ever})
    asked["hashes"] = [f"{kind} {value_hash.hex()}" for kind, value_hash in hashes]
    cut = [entry for (entry,) in tx.rows("erase_merge_log", asked)]
    tx.run("erase_reviews", asked)
    (gone,) = tx.row("erase_profiles", profiles) or (0,)
    done = {
        "data keys": raw_keys + own_keys,
        "events": events,
        "identity records": stored,
        "identifier hashes": identifiers,
        "match keys": filed,
        "purchases": products,
        "consent": said,
        "evidence": evidence,
        "constraints": constraints,
        "merge log entries": len(cut),
        "profiles": gone,
        "tombstones": len(person.profiles),
    }
    return _Gone(done, None if last is None else came_at(last), tuple(cut))


def _keys(act: Act, person: _Person, ring: KeyRing) -> list[int]:
    """The match keys that their records are filed under, by every version of the keys that any is filed by."""
    secrets = [ring.hash_keys(version).match for version in act.store.versions.all]
    return sorted({k.key for c in person.contents.values() for s in secrets for k in keys_of(c, s)})


def _shred_shadows(tx: Transaction, person: _Person) -> int:
    """What a replay decides beside the live house cannot be read any more either. It is not dropped, as that would wait
    for who reads it; it cannot be activated without the events."""
    shadows = [name for (name,) in tx.rows("shadows")]
    for name in shadows:
        query = composed.SQL(sql("shred_shadow")).format(shadow=composed.Identifier(name))
        tx.connection.execute(query, {"records": sorted(person.records)})
    return len(shadows)


def _told(
    tx: Transaction,
    erasure_id: Id,
    person: _Person,
    gone: _Gone,
    asked: Asked,
    ring: KeyRing,
) -> bytes:
    """The signed receipt, as it is kept; and the audit log is told."""
    (events,) = tx.row("events_erased", (erasure_id,)) or ([],)
    document = signed(
        Receipt(
            erasure_id=UUID(bytes=bytes(erasure_id)),
            erased_at=asked.now,
            actor=asked.actor,
            reason=asked.reason,
            profiles=tuple(UUID(bytes=bytes(p)) for p in person.profiles),
            events_digest=digest_of(events),
            done=gone.done,
            remains=remains(gone.last, asked.now),
        ),
        ring,
    )
    occasion = asked.occasion
    told = (erasure_id, asked.now, asked.actor, asked.reason, occasion.request_id, occasion.api_key, document)
    tx.run("write_erasure", told)
    tx.run("write_erased_profiles", (list(person.profiles), erasure_id))
    cut = list(named("merge_log", *gone.cut))
    hashed = [name for (name,) in tx.rows("told_with", {"objects": cut})] if cut else []
    objects = sorted({*cut, *hashed})
    act = Action.CUSTOMER_ERASED
    write_audit(tx, AuditEntry(act, asked.actor, asked.now, person.profiles, objects, asked.reason, occasion))
    return document

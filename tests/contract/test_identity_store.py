"""One suite for every `IdentityStore`: the same arrivals, the same answers, in memory and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from math import inf
from typing import Protocol

import pytest

from pipeline.holders import unpack
from pipeline.identity.consent import ConsentState, Statement
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, Identifier, IdentifierType, RecordActivity
from pipeline.identity.policy import Policy
from pipeline.identity.scratch import resolve_all
from pipeline.identity.settle import settle
from pipeline.identity.sharing import OVERFULL
from pipeline.ids import new_id
from pipeline.inprocess import resolve_batch
from pipeline.matching import gather
from pipeline.ports import IdentityStore, Known
from pipeline.store.consent import state
from pipeline.store.database import Database
from pipeline.store.identity_store import OverfullKeys, PostgresIdentityStore, RecordCache
from pipeline.store.identity_writer import Author, HashedContent, IdentityWriter
from pipeline.store.memory import MemoryIdentityStore
from pipeline.store.review_writer import ReviewWriter
from tests.support.evidence import evidence_from_scratch, evidence_stored
from tests.support.people import START, Person, model, narrow, person, policy, ring

ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}


class Filled(Protocol):
    """A store that records can arrive at."""

    def arrive(self, *people: Person, rules: Policy | None = None) -> None: ...
    def forbid(self, one: Person, other: Person) -> None: ...
    def ask(self) -> IdentityStore: ...
    def close(self) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self._store = MemoryIdentityStore(ring().current.match)

    def arrive(self, *people: Person, rules: Policy | None = None) -> None:
        arrivals = {p.record_id: p.arrival for p in people}
        resolve_batch(self._store, arrivals, model(), rules or policy(), new_id, START)

    def forbid(self, one: Person, other: Person) -> None:
        self._store.rules.append(
            Constraint(ConstraintKind.CANNOT_LINK, frozenset({one.record_id}), frozenset({other.record_id}))
        )

    def ask(self) -> IdentityStore:
        return self._store

    def close(self) -> None: ...


class OnPostgres:
    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn, "test")
        self._cache, self._overfull = RecordCache(ring(), 100), OverfullKeys()
        self._open = self._database.transaction()
        self._tx = self._open.__enter__()

    def arrive(self, *people: Person, rules: Policy | None = None) -> None:
        rules = rules or policy()
        arrivals = {p.record_id: p.arrival for p in people}
        store = PostgresIdentityStore(self._tx, self._cache, self._overfull)
        stored = store.known({r: a.activity for r, a in arrivals.items()})
        known = {r: a for r, a in arrivals.items() if r in stored}
        new = {r: a for r, a in arrivals.items() if r not in stored}
        found = gather(new, known, stored, store, model(), rules)
        settlement = settle(found.neighbourhood, model(), rules, new_id, START)
        author = Author("test", "test", "m", "p", START, new_id)
        writer = IdentityWriter(self._tx, ring(), author)
        writer.merge_log(settlement.decisions, found.neighbourhood, settlement)
        writer.profiles(settlement)
        hashed = {
            p.record_id: HashedContent(1, p.hashes, p.arrival.keys) for p in people if p.record_id in new
        }
        writer.new_records(hashed, found, settlement)
        writer.moves(settlement, new)
        writer.activity(known, {r: a.products for r, a in arrivals.items()})
        writer.evidence(found)
        writer.worn(found)
        state(self._tx, [(r, new_id(), s) for r, a in arrivals.items() for s in a.consent])
        ReviewWriter(self._tx, author).write(settlement)

    def forbid(self, one: Person, other: Person) -> None:
        self._tx.run(
            "insert_constraint",
            {
                "constraint_id": new_id(),
                "kind": "cannot_link",
                "left": [one.record_id],
                "right": [other.record_id],
                "actor": "test",
                "reason": "test",
                "now": START,
                "review_id": None,
            },
        )

    def ask(self) -> IdentityStore:
        return PostgresIdentityStore(self._tx, self._cache, self._overfull)

    def close(self) -> None:
        self._open.__exit__(None, None, None)
        self._database.close()


@pytest.fixture(params=["memory", "postgres"])
def filled(request: pytest.FixtureRequest) -> Iterator[Filled]:
    if request.param == "memory":
        yield InMemory()
    else:
        opened = OnPostgres(request.getfixturevalue("database"))
        yield opened
        opened.close()


def homes(filled: Filled, *people: Person) -> list[Id]:
    standing = filled.ask().standing([p.record_id for p in people])
    return [standing[p.record_id].profile_id for p in people]


def test_records_stand_where_they_were_put(filled: Filled) -> None:
    anna, cookie = person({"email": "anna@mailbox.net"}, **ANNA), person({"cookie_id": "c-1"}, **ANNA)
    john = person({"email": "john@mailbox.net"})
    filled.arrive(anna, john)
    filled.arrive(cookie)
    one, other, third = homes(filled, anna, cookie, john)
    assert one == other != third
    assert filled.ask().members([one]) == {anna.record_id, cookie.record_id}
    assert filled.ask().standing([person({"email": "x@mailbox.net"}).record_id]) == {}


def test_known_says_when_an_event_would_reorder_a_profile(filled: Filled) -> None:
    early = person({"email": "anna@mailbox.net"}, minute=1, **ANNA)
    late = person({"cookie_id": "c-1"}, minute=5, **{**ANNA, "first_name": "Ana"})
    filled.arrive(early, late)
    ask = filled.ask()

    def reorders(who: Person, minute: int, *sources: str) -> bool:
        at = START + timedelta(minutes=minute)
        seen = RecordActivity(at, at, sources or who.arrival.activity.sources)
        return ask.known({who.record_id: seen})[who.record_id].reorders

    assert not reorders(early, 3)
    assert reorders(early, 6)
    assert not reorders(late, 9)
    assert reorders(early, 0, "crm")


def test_records_that_say_the_same_are_never_reordered(filled: Filled) -> None:
    early, late = (
        person({"email": "anna@mailbox.net"}, **ANNA),
        person({"cookie_id": "c-1"}, minute=5, **ANNA),
    )
    filled.arrive(early, late)
    at = START + timedelta(minutes=9)
    known = filled.ask().known({early.record_id: RecordActivity(at, at, ("crm",))})
    assert known == {early.record_id: Known(*homes(filled, late), 1, False)}


def test_contents_are_opened_with_all_products(filled: Filled) -> None:
    anna = person({"email": "anna@mailbox.net"}, products=[1, 2], **ANNA)
    filled.arrive(anna)
    filled.arrive(person({"email": "anna@mailbox.net"}, products=[3], **ANNA))
    opened = filled.ask().contents([anna.record_id])[anna.record_id]
    assert opened.identifiers == anna.canonical.identifiers
    assert dict(opened.traits) == dict(anna.canonical.traits)
    assert opened.products == {1, 2, 3}
    assert filled.ask().new_products({anna.record_id: frozenset({1, 4})}) == {anna.record_id}
    assert filled.ask().new_products({anna.record_id: frozenset({1, 3})}) == frozenset()


def test_all_who_hold_a_key_are_told(filled: Filled) -> None:
    people = [person({"email": "anna@mailbox.net", "cookie_id": f"c-{n}"}) for n in range(5)]
    filled.arrive(*people)
    (shared,) = (
        set.intersection(*(set(p.arrival.keys) for p in people[:3]))
        & set(person({"email": "anna@mailbox.net"}).arrival.keys)
        & {k for k in people[0].arrival.keys if k.kind == 0}
    )
    held = filled.ask().holders([shared.key, 12345])
    assert held.keys() == {shared.key}
    assert {holder.record for holder in unpack(held[shared.key].holders)} == {p.record_id for p in people}


def test_evidence_reaches_over_vetoed_edges_and_names_both_profiles(filled: Filled) -> None:
    one = person({"loyalty_id": "L-1", "email": "anna@mailbox.net"}, **ANNA)
    other = person({"loyalty_id": "L-2", "email": "anna@mailbox.net"}, **ANNA)
    filled.arrive(one)
    filled.arrive(other)
    first, second = homes(filled, one, other)
    assert first != second
    ask = filled.ask()
    (evidence,) = ask.evidence([one.record_id])
    assert {evidence.low_profile, evidence.high_profile} == {first, second}
    assert evidence.edge.comparison.veto is not None
    assert ask.reach([first], 0.8, 0.45, 10) == ({first, second}, frozenset())
    assert ask.reach([first], 0.9999999999, 0.45, 10)[0] == {first}
    assert ask.reach([first], 0.9999999999, 0.45, 10)[1] == {second}
    assert set(ask.open_pairs([one.record_id])) == {(evidence.edge.low, evidence.edge.high)}


def test_constraints_are_found_by_either_side(filled: Filled) -> None:
    one, other = person({"email": "a@mailbox.net"}), person({"email": "b@mailbox.net"})
    filled.arrive(one, other)
    filled.forbid(one, other)
    for who in (one, other):
        (found,) = filled.ask().constraints([who.record_id])
        assert (found.kind, found.left, found.right) == (
            ConstraintKind.CANNOT_LINK,
            {one.record_id},
            {other.record_id},
        )


def test_locking_reads_profiles_as_they_stand(filled: Filled) -> None:
    anna = person({"email": "anna@mailbox.net"}, **ANNA)
    filled.arrive(anna)
    (home,) = homes(filled, anna)
    row = filled.ask().lock_profiles([home])[home]
    golden: Mapping[str, Id] = row.golden
    assert (row.version, row.is_merged) == (1, False)
    assert golden["first_name"] == anna.record_id
    filled.arrive(person({"cookie_id": "c-1"}, **ANNA))
    assert filled.ask().lock_profiles([home])[home].version == 2


def keys_of(one: Person, other: Person) -> set[int]:
    return {k.key for k in set(one.arrival.keys) & set(other.arrival.keys)}


def test_evidence_goes_with_the_keys_that_it_was_found_by(filled: Filled) -> None:
    first, second, third = (person({"email": "anna@mailbox.net", "cookie_id": f"c-{n}"}) for n in range(3))
    rules = narrow(cap=2, limit=9)
    filled.arrive(first, second, rules=rules)
    shared = keys_of(first, second)
    (grounds,) = filled.ask().grounds([first.record_id, second.record_id])
    assert {k.key for k in grounds.via} == shared
    assert len(set(homes(filled, first, second))) == 1
    filled.arrive(third, rules=rules)
    ask = filled.ask()
    assert ask.grounds([first.record_id, second.record_id]) == []
    assert ask.overfull_among([*shared, 12345]) == shared
    for _ in range(2):  # as it is read, and as it is remembered
        held = ask.holders(shared)
        assert held.keys() == shared
        assert {(h.step, h.holders) for h in held.values()} == {(OVERFULL, b"")}
        assert {h.lost for h in held.values()} == {
            0.0,
            inf,
        }  # a block's key never counted, an identifier no longer does
    assert len(set(homes(filled, first, second, third))) == 3
    email = Identifier(IdentifierType.EMAIL, "anna@mailbox.net")
    for who in (first, second, third):
        assert ask.contents([who.record_id])[who.record_id].shared == ((email, inf),)


def test_an_identifier_that_comes_to_be_shared_counts_for_less_among_all_who_hold_it(filled: Filled) -> None:
    rules = narrow(cap=50, limit=1)
    anna = person({"phone": "+14155550101", "cookie_id": "c-1"}, **ANNA)
    bare = person({"whatsapp": "+14155550101", "device_id": "d-1"})
    john = person({"phone": "+14155550101"}, first_name="John", last_name="Smith")
    filled.arrive(anna, rules=rules)
    filled.arrive(bare, rules=rules)
    pair = [anna.record_id, bare.record_id]
    (before,) = filled.ask().grounds(pair)
    assert len(set(homes(filled, anna, bare))) == 1
    filled.arrive(john, rules=rules)
    (after,) = filled.ask().grounds(pair)
    assert after.edge.comparison.weight < before.edge.comparison.weight
    assert after.via == before.via
    assert len(set(homes(filled, anna, bare, john))) == 3
    line = Identifier(IdentifierType.PHONE, "+14155550101")
    for who in (anna, bare, john):
        assert filled.ask().contents([who.record_id])[who.record_id].shared == ((line, 1.0),)
    (key,) = {k.key for k in anna.arrival.keys if k.kind == 0} & {k.key for k in john.arrival.keys}
    held = filled.ask().holders([key])[key]
    assert (held.step, held.lost, held.told) == (1, 1.0, 3)


def test_whoever_crosses_limits_the_stores_end_where_scratch_ends(filled: Filled) -> None:
    people = [
        person({"email": f"{user}@mailbox.net", "cookie_id": f"c-{n % 4}"}, minute=n, first_name=first)
        for n, (user, first) in enumerate(
            (user, first) for first in ("Anna", "John", "Mary") for user in ("family", "shop", "me", "till")
        )
    ] + [person({"phone": f"+1415555010{n % 3}", "email": "till@mailbox.net"}, minute=n) for n in range(6)]
    rules = narrow(cap=4, limit=2)
    for who in people:
        filled.arrive(who, rules=rules)
    standing = filled.ask().standing([p.record_id for p in people])
    found = {frozenset(filled.ask().members([s.profile_id])) for s in standing.values()}
    assert all(p.arrival.record for p in people)
    keyed = {p.record_id: (p.arrival.record, p.arrival.keys) for p in people if p.arrival.record}
    assert found == set(resolve_all(keyed, (), model(), rules).clusters)


def test_of_many_who_share_an_identifier_a_few_are_compared_with_all(filled: Filled) -> None:
    mail = {"email": "anna@mailbox.net"}
    crowd = [person({**mail, "phone": "+14155550101", "cookie_id": f"d-{n}"}) for n in range(4)]
    crowd += [person({**mail, "cookie_id": f"c-{n}"}, **(ANNA if n % 3 == 0 else {})) for n in range(12)]
    rules = narrow(cap=14, limit=2)
    for n, upto in enumerate((12, 14, 16)):  # the e-mail falls with the last two
        for who in crowd[(0, 12, 14)[n] : upto]:
            filled.arrive(who, rules=rules)
        came = crowd[:upto]
        found = evidence_stored(filled.ask(), [p.record_id for p in came], rules)
        assert found == evidence_from_scratch(came, rules)
        assert len(found) < upto * (upto - 1) // 2


def test_a_profile_too_large_to_split_is_held_until_its_evidence_holds_again(filled: Filled) -> None:
    rules = replace(narrow(cap=50, limit=1), split_limit=2)
    anna = person({"phone": "+14155550101", "cookie_id": "c-1"}, **ANNA)
    bare = [person({"phone": "+14155550101", "device_id": f"d-{n}"}) for n in range(2)]
    john = person({"phone": "+14155550101"}, first_name="John", last_name="Smith")
    for who in (anna, *bare):
        filled.arrive(who, rules=rules)
    (home,) = set(homes(filled, anna, *bare))
    before = filled.ask().lock_profiles([home])[home]
    assert not before.held
    filled.arrive(john, rules=rules)
    assert set(homes(filled, anna, *bare)) == {home}
    assert filled.ask().lock_profiles([home])[home] == replace(before, held=True)
    filled.arrive(person({"cookie_id": "c-1", "device_id": ["d-0", "d-1"]}), rules=rules)
    assert set(homes(filled, anna, *bare)) == {home}
    assert not filled.ask().lock_profiles([home])[home].held


def saying(one: Person, *said: tuple[str, ConsentState, int]) -> Person:
    statements = (Statement(p, state, START + timedelta(hours=hours), "web") for p, state, hours in said)
    return replace(one, arrival=replace(one.arrival, consent=frozenset(statements)))


def test_the_last_word_on_each_purpose_is_told_by_record(filled: Filled) -> None:
    granted, withdrawn = ConsentState.GRANTED, ConsentState.WITHDRAWN
    anna, ben = person({"email": "anna@x.org"}), person({"email": "ben@x.org"})
    filled.arrive(saying(anna, ("marketing", granted, 1), ("analytics", withdrawn, 1)), ben)
    filled.arrive(saying(anna, ("marketing", withdrawn, 2)))
    filled.arrive(saying(anna, ("analytics", granted, 1), ("marketing", granted, 0)))
    found = filled.ask().consent([anna.record_id, ben.record_id])
    assert found.keys() == {anna.record_id}
    assert {(s.purpose, s.state, s.at) for s in found[anna.record_id]} == {
        ("marketing", withdrawn, START + timedelta(hours=2)),
        ("analytics", withdrawn, START + timedelta(hours=1)),
    }
    profile = next(iter(filled.ask().known({anna.record_id: anna.arrival.activity}).values()))
    assert profile.version == 2, "the third said nothing that holds"

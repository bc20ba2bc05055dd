"""The locks keep one truth in every interleaving of small scenarios, on the code that decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, MatchKey
from pipeline.identity.policy import Policy
from pipeline.identity.scratch import resolve_all
from pipeline.identity.settle import Settlement
from pipeline.identity.undo import Undo
from pipeline.inprocess import resolve_batch
from pipeline.joining import unite
from pipeline.matching import Found
from pipeline.revoking import decide_without
from pipeline.steward import Deciding, homes
from pipeline.store.memory import MemoryIdentityStore
from pipeline.unmerge.rollback import undo_all
from pipeline.unmerge.taking_out import part
from tests.property.test_order_does_not_matter import golden, reviews
from tests.support.concurrent import ActInMemory, World
from tests.support.interleavings import Bodies, every_run
from tests.support.people import START, Person, model, narrow, person, policy, ring

A, B, C = {"email": "anna@mailbox.net"}, {"phone": "+14155550101"}, {"loyalty_id": "L-1001"}
COOKIE = {"cookie_id": "c-77ab12"}
Bodied = Callable[[World], Bodies]


def world(before: Sequence[Person], rules: Policy) -> World:
    """What stands after these arrived one after the other."""
    made = World(rules, MemoryIdentityStore(ring().current.match))
    for p in before:
        resolve_batch(made.store, {p.record_id: p.arrival}, model(), rules, made.new_id, START)
    return made


def one_truth(
    everybody: Sequence[Person],
    before: int,
    bodies: Bodied,
    rules: Policy | None = None,
    most: int = 5_000,
) -> tuple[int, int]:
    """Run the bodies in every interleaving over a world of the first so many people. What stands in the end must be
    what all of them make from scratch. Returns how many interleavings there were, and the most races lost in one."""
    lost: list[int] = []
    content = {p.record_id: p for p in everybody}

    def scenario() -> tuple[Bodies, Callable[[], None]]:
        made = world(everybody[:before], rules or policy())

        def check() -> None:
            records = {
                r: (s.record.sharing(()), content[r].arrival.keys) for r, s in made.store.records.items()
            }
            assert len(records) == len(content)
            scratch = resolve_all(records, made.store.rules, model(), made.rules)
            assert made.store.partition() == frozenset(scratch.clusters)
            again = world((), made.rules)
            again.store.rules += made.store.rules
            for p in everybody:
                resolve_batch(again.store, {p.record_id: p.arrival}, model(), made.rules, again.new_id, START)
            assert golden(made.store) == golden(again.store)
            assert reviews(made.store) == reviews(again.store)
            assert between(made.store) == between(again.store)
            assert meeting_by(made.store) == meeting_by(again.store)
            lost.append(made.conflicts)

        return bodies(made), check

    return every_run(scenario, most), max(lost)


def between(store: MemoryIdentityStore) -> dict[tuple[Id, Id], float]:
    """What evidence weighs between records of two profiles; within one it may wait until it counts."""
    found = store.evidence(store.records)
    return {
        (e.edge.low, e.edge.high): e.edge.comparison.weight for e in found if e.low_profile != e.high_profile
    }


def meeting_by(store: MemoryIdentityStore) -> dict[tuple[Id, Id], tuple[MatchKey, ...]]:
    """The keys that each pair with evidence meets by."""
    found = {}
    for grounds in store.grounds(store.records):
        overfull = store.overfull_among([k.key for k in grounds.via])
        found[grounds.edge.low, grounds.edge.high] = tuple(k for k in grounds.via if k.key not in overfull)
    return found


def merge_of(made: World, one: Person, other: Person) -> Undo:
    """A merge that stands, as its log entry tells it."""
    target = made.store.standing([one.record_id])[one.record_id].profile_id
    assert made.store.standing([other.record_id])[other.record_id].profile_id == target
    source = next(p for p, row in made.store.profiles.items() if row.is_merged)
    left = frozenset({other.record_id})
    return Undo(made.new_id(), source, target, left, frozenset({one.record_id}))


def undoing(undo: Undo) -> Callable[[Deciding], tuple[Found, Settlement]]:
    return lambda act: undo_all(act, [undo])[1:]


def taking_out(made: World, profile: Id, chosen: Person) -> Callable[[Deciding], tuple[Found, Settlement]]:
    def act(deciding: Deciding) -> tuple[Found, Settlement]:
        members = deciding.store.members((profile,))
        return part(deciding, profile, members, frozenset({chosen.record_id}))

    return act


def joining(*chosen: Person) -> Callable[[Deciding], tuple[Found, Settlement]]:
    """The profiles that these stand in when the act begins, whichever they are by then."""

    def act(deciding: Deciding) -> tuple[Found, Settlement]:
        standing = deciding.store.standing([p.record_id for p in chosen])
        return unite(deciding, sorted({s.profile_id for s in standing.values()}))[1:]

    return act


def revoking(*words: Constraint) -> Callable[[ActInMemory], tuple[Found, Settlement]]:
    def act(acting: ActInMemory) -> tuple[Found, Settlement]:
        acting.revoke(words)
        return decide_without(acting, words, {})[1:]

    return act


def said(made: World, kind: ConstraintKind, one: Person, other: Person) -> Constraint:
    """What a steward says of two records before the race; it stands when this returns."""
    word = Constraint(kind, frozenset({one.record_id}), frozenset({other.record_id}))
    act = ActInMemory(made.store, made.rules, made.new_id)
    act.constrain(word)
    found = act.gather(frozenset(homes(made.store, word.left | word.right).values()))
    made.store.write(found, act.settle(found), {}, {})
    return word


def apart(made: World, one: Person, other: Person) -> Constraint:
    return said(made, ConstraintKind.CANNOT_LINK, one, other)


def together(made: World, one: Person, other: Person) -> Constraint:
    return said(made, ConstraintKind.MUST_LINK, one, other)


def test_two_new_records_that_should_meet_in_flight_together() -> None:
    people = [person(A), person(A | COOKIE)]
    one_truth(people, 0, lambda w: [w.resolving(p) for p in people])


def test_the_same_new_record_twice() -> None:
    one_truth([person(A)], 0, lambda w: [w.resolving(person(A)), w.resolving(person(A))])


def test_a_to_b_racing_b_to_c() -> None:
    people = [person(A), person(B), person(C), person(A | B), person(B | C)]
    one_truth(people, 3, lambda w: [w.resolving(p) for p in people[3:]])


def test_three_records_of_a_hot_identifier() -> None:
    people = [person(A | {"cookie_id": f"c-77ab1{n}"}) for n in range(3)]
    one_truth(people, 0, lambda w: [w.resolving(p) for p in people])


def test_a_chain_of_merges_by_three_workers() -> None:
    people = [person(A), person(B), person(C), person(A | B), person(B | C), person(C | COOKIE)]
    one_truth(people, 3, lambda w: [w.resolving(p) for p in people[3:]])


def test_batches_that_touch_the_same_profiles_in_another_order() -> None:
    people = [person(A), person(B), person(A | COOKIE), person(B | COOKIE), person(A | C), person(B | C)]
    one_truth(people, 2, lambda w: [w.resolving(*people[2:4]), w.resolving(*reversed(people[4:]))])


def test_a_record_buys_what_a_new_one_bought_that_is_the_same_customer_by_it() -> None:
    name, much = {"first_name": "Anna", "last_name": "Kowalski"}, range(2, 12)
    before, grown = (person(A, products=p, **name) for p in ((1,), much))
    new = person(B, products=much, **name)
    assert len(world([before, new], policy()).store.partition()) == 2
    one_truth([before, grown, new], 1, lambda w: [w.resolving(grown), w.resolving(new)])


def test_a_record_is_seen_again_while_its_profile_comes_to_be_contested() -> None:
    first = person(A, minute=1, city="Berlin", first_name="Anna")
    again = person(A, minute=9, city="Berlin", first_name="Anna")
    other = person(A, minute=5, city="Munich", first_name="Anna")
    one_truth([first, again, other], 1, lambda w: [w.resolving(again), w.resolving(other)])


def test_a_record_is_seen_again_while_its_profile_is_merged() -> None:
    people = [person(A), person(B), person(A | B), person(B, minute=9, source="crm")]
    one_truth(people, 2, lambda w: [w.resolving(p) for p in people[2:]])


def test_a_rollback_racing_records_of_either_side() -> None:
    people = [person(A), person(B), person(A | B), person(A | COOKIE), person(B | C)]

    def bodies(w: World) -> Bodies:
        undo = merge_of(w, people[0], people[1])
        return [w.acting(undoing(undo)), *(w.resolving(p) for p in people[3:])]

    one_truth(people, 3, bodies)


def test_a_rollback_racing_a_merge_of_its_target() -> None:
    people = [person(C), person(A), person(B), person(A | B), person(C | A)]

    def bodies(w: World) -> Bodies:
        undo = merge_of(w, people[1], people[2])
        return [w.acting(undoing(undo)), w.resolving(people[4])]

    one_truth(people, 4, bodies)


def test_two_rollbacks_of_a_chain_and_a_record() -> None:
    people = [person(A), person(B), person(A | B), person(B | A | COOKIE)]

    def bodies(w: World) -> Bodies:
        undo = merge_of(w, people[0], people[1])
        home = undo.target
        return [
            w.acting(undoing(undo)),
            w.acting(taking_out(w, home, people[1])),
            w.resolving(people[3]),
        ]

    one_truth(people, 3, bodies)


def test_an_identifier_that_comes_to_be_shared_while_others_rest_on_it() -> None:
    names = [
        {"first_name": n, "last_name": s}
        for n, s in (("Anna", "Smith"), ("Jon", "Kowalski"), ("Mary", "Jones"))
    ]
    people = [person(A, **names[0]), person(A | COOKIE), person(A, **names[1]), person(A, **names[2])]
    one_truth(people, 2, lambda w: [w.resolving(p) for p in people[2:]], narrow(5, 1))
    one_truth(people, 2, lambda w: [w.resolving(p) for p in people[2:]], narrow(3, 2))


def test_an_identifier_comes_to_be_shared_while_who_rests_on_it_is_merged() -> None:
    one, other = {"first_name": "Anna", "last_name": "Smith"}, {"first_name": "Jon", "last_name": "Kowalski"}
    people = [person(A, **one), person(A | COOKIE), person(C), person(A, **other), person(COOKIE | C)]
    one_truth(people, 3, lambda w: [w.resolving(p) for p in people[3:]], narrow(5, 1))
    one_truth(people, 3, lambda w: [w.resolving(p) for p in people[3:]], narrow(2, 2))


def by_id(identifiers: dict[str, str], **traits: str) -> list[Person]:
    """Ten people who share these, and nothing with others who share something else, in the order of their ids."""
    cookies = ({"cookie_id": f"c-{'-'.join(identifiers)}-{n}"} for n in range(10))
    return sorted((person(identifiers | c, **traits) for c in cookies), key=lambda p: p.record_id)


def between_ids(low: Person, found: Sequence[Person], high: Person) -> Person:
    """One whose id lies between two others'."""
    return next(p for p in found if low.record_id < p.record_id < high.record_id)


def test_records_come_between_two_in_both_identifiers_that_they_share() -> None:
    """Each of the new records comes between them in one: only both together part the pair."""
    first, *_, last = by_id(A | B)
    people = [first, last, between_ids(first, by_id(A), last), between_ids(first, by_id(B), last)]
    one_truth(people, 2, lambda w: [w.resolving(p) for p in people[2:]], narrow(50, 5))


def test_an_identifier_falls_while_a_record_comes_between_two_who_share_another() -> None:
    """Whom the one brings together no more meets by the other, unless somebody stands between them there by now."""
    name = {"first_name": "Anna", "last_name": "Kowalski"}
    first, *_, last = by_id(A | B, **name)
    amid = between_ids(first, by_id(B, **name), last)
    people = [first, last, person(A, **name), person(A, minute=1, **name, city="Berlin"), amid]
    one_truth(people, 3, lambda w: [w.resolving(p) for p in people[3:]], narrow(3, 5))


def test_records_are_told_apart_while_one_comes_between_them() -> None:
    first, *_, last = by_id(A)
    people = [first, last, between_ids(first, by_id(A | C), last), between_ids(first, by_id(A | B), last)]

    def bodies(w: World) -> Bodies:
        home = w.store.standing([first.record_id])[first.record_id].profile_id
        return [w.acting(taking_out(w, home, first)), w.resolving(people[3])]

    one_truth(people, 3, bodies, narrow(50, 5))


def test_records_are_told_apart_while_somebody_else_comes_to_share_their_identifier() -> None:
    """Nothing leads from the new record to their profile: what it shares with them is all that both lock."""
    hers = {"first_name": "Mary", "last_name": "Smith"}
    theirs = [person(A | {"cookie_id": f"c-{n}"}, minute=n, **hers) for n in range(4)]
    his = [
        person(A | {"cookie_id": f"d-{n}"}, minute=20, first_name="Jon", last_name="Kowalski")
        for n in range(8)
    ]
    low, *_, high = sorted(theirs, key=lambda p: p.record_id)
    amid = between_ids(low, his, high)

    def bodies(w: World) -> Bodies:
        home = w.store.standing([high.record_id])[high.record_id].profile_id
        return [w.acting(taking_out(w, home, high)), w.resolving(amid)]

    one_truth([*theirs, amid], 4, bodies, narrow(50, 5))


def test_two_identifiers_come_to_be_shared_that_two_records_both_hold() -> None:
    """Each worker judges their evidence again for what it saw come to be shared: one has to see what both did."""
    device = {"device_id": "d-158366"}
    jon, mary = {"first_name": "Jon", "last_name": "Kowalski"}, {"first_name": "Mary", "last_name": "Smith"}
    people = [
        person(COOKIE | C | device),
        person(B, minute=1, products=range(2, 12), first_name="Anna", last_name="Smith", city="Berlin"),
        person(A | B | C | COOKIE, minute=2, **jon),
        person(B | C, minute=3, products=range(2, 12)),
        person(COOKIE | {"device_id": "d-345369"}, minute=4, **mary),
    ]

    def bodies(w: World) -> Bodies:
        home = w.store.standing([people[0].record_id])[people[0].record_id].profile_id
        return [w.acting(taking_out(w, home, people[0])), *(w.resolving(p) for p in people[3:])]

    one_truth(people, 3, bodies, narrow(3, 1))


def test_profiles_are_joined_while_records_of_either_come() -> None:
    people = [person(A), person(B), person(A | COOKIE), person(B | C)]
    one_truth(
        people,
        2,
        lambda w: [w.acting(joining(*people[:2])), *(w.resolving(p) for p in people[2:])],
    )


def test_profiles_are_joined_while_one_of_them_is_merged_with_a_third() -> None:
    people = [person(A), person(B), person(C), person(B | C)]
    one_truth(people, 3, lambda w: [w.acting(joining(*people[:2])), w.resolving(people[3])])


def test_profiles_are_joined_by_stewards_in_opposite_orders() -> None:
    people = [person(A), person(B), person(C), person(B | COOKIE)]
    one_truth(
        people,
        4,
        lambda w: [w.acting(joining(people[0], people[1])), w.acting(joining(people[2], people[1]))],
    )


def test_profiles_are_joined_while_a_merge_of_one_of_them_is_undone() -> None:
    people = [person(A), person(B), person(A | B), person(C), person(C | COOKIE)]

    def bodies(w: World) -> Bodies:
        undo = merge_of(w, people[0], people[1])
        return [w.acting(undoing(undo)), w.acting(joining(people[1], people[3]))]

    one_truth(people, 5, bodies)


def test_a_cannot_link_is_revoked_while_records_of_either_side_come() -> None:
    people = [person(A), person(A | B), person(A | COOKIE), person(B | C)]

    def bodies(w: World) -> Bodies:
        word = apart(w, people[0], people[1])
        assert len(w.store.partition()) == 2
        return [w.acting(revoking(word)), *(w.resolving(p) for p in people[2:])]

    one_truth(people, 2, bodies)


def test_a_must_link_is_revoked_while_records_of_either_side_come() -> None:
    people = [person(A), person(B), person(A | COOKIE), person(B | C)]

    def bodies(w: World) -> Bodies:
        word = together(w, people[0], people[1])
        assert len(w.store.partition()) == 1
        return [w.acting(revoking(word)), *(w.resolving(p) for p in people[2:])]

    one_truth(people, 2, bodies)


def test_a_cannot_link_is_revoked_while_a_record_that_it_names_comes_back() -> None:
    """As after a replay by which no event spoke of it for a while."""
    people = [person(B), person(A | B), person(A | COOKIE)]

    def bodies(w: World) -> Bodies:
        left, right = (frozenset({p.record_id}) for p in (people[0], people[2]))
        word = Constraint(ConstraintKind.CANNOT_LINK, left, right)
        w.store.rules.append(word)
        return [w.acting(revoking(word)), w.resolving(people[2])]

    one_truth(people, 2, bodies)


def test_two_words_on_the_same_records_are_revoked_at_once() -> None:
    people = [person(A), person(A | B), person(C), person(A | COOKIE)]

    def bodies(w: World) -> Bodies:
        cannot, must = apart(w, people[0], people[1]), together(w, people[1], people[2])
        return [w.acting(revoking(cannot)), w.acting(revoking(must)), w.resolving(people[3])]

    one_truth(people, 3, bodies)


def test_a_must_link_is_revoked_while_one_of_the_two_is_joined_with_a_third() -> None:
    people = [person(A), person(B), person(C), person(B | COOKIE)]

    def bodies(w: World) -> Bodies:
        word = together(w, people[0], people[1])
        return [w.acting(revoking(word)), w.acting(joining(people[1], people[2])), w.resolving(people[3])]

    one_truth(people, 3, bodies)


def test_a_rollback_is_taken_back_while_another_record_of_its_target_is_taken_out() -> None:
    people = [person(A), person(B), person(A | B), person(A | COOKIE)]

    def bodies(w: World) -> Bodies:
        undo = merge_of(w, people[0], people[1])
        act = ActInMemory(w.store, w.rules, w.new_id)
        found, settlement = undoing(undo)(act)
        w.store.write(found, settlement, {}, {})
        home = homes(w.store, [people[0].record_id])[people[0].record_id]
        return [w.acting(revoking(undo.constraint)), w.acting(taking_out(w, home, people[3]))]

    one_truth(people, 4, bodies)


def test_records_are_not_told_apart_any_more_while_one_comes_between_them() -> None:
    first, *_, last = by_id(A)
    people = [first, last, between_ids(first, by_id(A | C), last), between_ids(first, by_id(A | B), last)]

    def bodies(w: World) -> Bodies:
        word = apart(w, first, last)
        return [w.acting(revoking(word)), w.resolving(people[3])]

    one_truth(people, 3, bodies, narrow(50, 5))


def test_records_are_not_told_apart_any_more_while_somebody_else_comes_to_share_their_identifier() -> None:
    """Nothing leads from the new record to their profiles: what it shares with them is all that both lock."""
    hers = {"first_name": "Mary", "last_name": "Smith"}
    theirs = [person(A | {"cookie_id": f"c-{n}"}, minute=n, **hers) for n in range(4)]
    his = [
        person(A | {"cookie_id": f"d-{n}"}, minute=20, first_name="Jon", last_name="Kowalski")
        for n in range(8)
    ]
    low, *_, high = sorted(theirs, key=lambda p: p.record_id)
    amid = between_ids(low, his, high)

    def bodies(w: World) -> Bodies:
        word = apart(w, low, high)
        return [w.acting(revoking(word)), w.resolving(amid)]

    one_truth([*theirs, amid], 4, bodies, narrow(50, 5))

"""A merge that is undone leaves what a history without it leaves, whenever it is undone and whatever came since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.identity.ids import Id
from pipeline.identity.model import Merged
from pipeline.identity.policy import Policy
from pipeline.identity.scratch import resolve_all
from pipeline.identity.undo import Undo, claims
from pipeline.inprocess import resolve_batch
from pipeline.store.memory import MemoryIdentityStore
from pipeline.unmerge.rollback import undo_all
from tests.property.test_order_does_not_matter import golden, limits, people, reviews
from tests.support.concurrent import ActInMemory
from tests.support.ids import numbered
from tests.support.people import START, Person, model, narrow, person, policy, ring


class Stream:
    """Records that arrive one after the other, the merges that follow, and undoing them."""

    def __init__(self, rules: Policy) -> None:
        self.rules = rules
        self.store = MemoryIdentityStore(ring().current.match)
        self.merges: list[Undo] = []
        ids = count(1)
        self._new_id: Callable[[], Id] = lambda: numbered(next(ids))

    def arrive(self, arrivals: Sequence[Person]) -> None:
        for p in arrivals:
            before = {profile: self.store.members([profile]) for profile in self.store.profiles}
            found = resolve_batch(
                self.store, {p.record_id: p.arrival}, model(), self.rules, self._new_id, START
            )
            merged = [d for d in found.decisions if isinstance(d, Merged)]
            for d in merged:
                siblings = [before[o.source] for o in merged if o.target == d.target and o != d]
                self.merges.append(
                    Undo(
                        self._new_id(),
                        d.source,
                        d.target,
                        before[d.source],
                        before[d.target],
                        frozenset().union(*siblings),
                    )
                )

    def age(self, record: Id) -> tuple[object, Id]:
        return self.store.records[record].activity.first_seen, record

    def act(self) -> ActInMemory:
        return ActInMemory(self.store, self.rules, self._new_id)

    def undo(self, undos: Sequence[Undo]) -> None:
        _, found, settlement = undo_all(self.act(), undos)
        self.store.write(found, settlement, {}, {})


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(people, min_size=3, max_size=12), st.data(), limits)
def test_undone_merges_leave_what_a_history_without_them_leaves(
    arrivals: list[Person], data: st.DataObject, small: tuple[int, int] | None
) -> None:
    rules = narrow(*small) if small else policy()
    at = data.draw(st.integers(2, len(arrivals)))
    undone = Stream(rules)
    undone.arrive(arrivals[:at])
    chosen = data.draw(st.lists(st.sampled_from(undone.merges), unique=True)) if undone.merges else []
    together = data.draw(st.booleans())
    for undos in [chosen] if together and chosen else [[u] for u in chosen]:
        undone.undo(undos)
    undone.arrive(arrivals[at:])

    without = Stream(rules)
    without.store.rules += undone.store.rules
    without.arrive(arrivals)
    content = {p.record_id: (p.arrival.record, p.arrival.keys) for p in arrivals}
    records = {r: (s.record.sharing(()), content[r][1]) for r, s in undone.store.records.items()}
    scratch = frozenset(resolve_all(records, undone.store.rules, model(), rules).clusters)
    assert undone.store.partition() == without.store.partition() == scratch
    assert golden(undone.store) == golden(without.store)
    assert reviews(undone.store) == reviews(without.store)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(people, min_size=3, max_size=12), limits)
def test_undoing_all_merges_at_once_gives_every_profile_its_id_back(
    arrivals: list[Person], small: tuple[int, int] | None
) -> None:
    stream = Stream(narrow(*small) if small else policy())
    stream.arrive(arrivals)
    undos = stream.merges
    if not undos:
        return
    home = {r: s.profile_id for r, s in stream.store.standing(stream.store.records).items()}
    before, apart = home, [u for u in undos if u.stands(home)]
    stream.undo(undos)
    home = {r: s.profile_id for r, s in stream.store.standing(stream.store.records).items()}
    assert not any(u.stands(home) for u in undos)
    had = claims(undos)
    for u in apart:
        oldest = min(had[u.source], key=stream.age)
        now = home[oldest]
        # it may have left its profile before, be all that a standing one has left, be as much that one's (which got all
        # its records from the source meanwhile), or belong to another customer
        left = before[oldest] not in {before[r] for r in u.right}
        bereft = not any(before[r] == now for r in had.get(now, ()))
        theirs = stream.store.members([now])
        shared = now in before.values() and theirs & had.get(now, frozenset())
        assert now == u.source or left or bereft or shared or theirs - had[u.source]


def test_an_id_comes_back_in_one_place_and_never_where_its_profile_does_not_stand() -> None:
    """Found by the property above: the source's records no longer hang together, nor do the target's."""
    card = {"loyalty_id": "L-1002"}
    mail = {"email": "anna.smith@example.com"}
    arrivals = [
        person({"loyalty_id": "L-1001"}),
        person(card),
        person(card, date_of_birth="1980-01-02"),
        person(card | {"cookie_id": "c-77ab12"}),
        person(card | {"phone": "+14155550102"}, first_name="Anna"),
        person(card | mail, first_name="John", date_of_birth="1991-07-15"),
        person(mail | {"phone": "+14155550102"}, minute=1, first_name="Anna", date_of_birth="1991-07-15"),
        person(card, postcode="94107"),
    ]
    stream = Stream(narrow(5, 1))
    stream.arrive(arrivals)
    (undo,) = stream.merges
    apart = {r: s.profile_id for r, s in stream.store.standing(undo.left | undo.right).items()}
    assert len(set(apart.values())) > 2
    stream.undo([undo])
    without = Stream(stream.rules)
    without.store.rules += stream.store.rules
    without.arrive(arrivals)
    assert stream.store.partition() == without.store.partition()


def test_a_merge_that_came_apart_by_itself_is_not_brought_back_by_undoing_another() -> None:
    """Found by the property above: the next merge had drawn away the record that the first one lacks again."""
    card = {"loyalty_id": "L-1001"}
    born, home = {"date_of_birth": "1980-02-01"}, {"city": "New York", "postcode": "10001"}
    stream = Stream(policy())
    stream.arrive(
        [
            person(**born, **home),
            person(last_name="Smith", **born),
            person(card),
            person(card, date_of_birth="1980-01-02"),
            person({"email": "jon@example.com"}, last_name="Smith", **born, **home),
            person(card | {"email": "jon@example.com"}),
        ]
    )
    first, second = stream.merges
    before = {r: s.profile_id for r, s in stream.store.standing(first.records | second.records).items()}
    assert not first.stands(before)
    assert second.stands(before)
    stream.undo([first, second])
    home_of = {r: s.profile_id for r, s in stream.store.standing(first.records | second.records).items()}
    assert not first.stands(home_of)
    assert not second.stands(home_of)

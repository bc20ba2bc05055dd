"""What was said and taken back leaves what a history without it leaves, whenever it is taken back and whatever came
since: among merges that are undone, records taken out, profiles joined, and words on any records."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, Merged
from pipeline.identity.policy import Policy
from pipeline.identity.scratch import resolve_all
from pipeline.identity.undo import RecordSet, Undo, claims
from pipeline.joining import unite
from pipeline.revoking import decide_without
from pipeline.steward import homes
from pipeline.unmerge.taking_out import part
from tests.property.test_order_does_not_matter import golden, limits, people, reviews
from tests.property.test_unmerge import Stream
from tests.support.evidence import evidence_from_scratch, evidence_stored, keyed
from tests.support.people import Person, model, narrow, policy


class History(Stream):
    """Records that arrive, and stewards who say things and take them back."""

    def __init__(self, rules: Policy) -> None:
        super().__init__(rules)
        self.made: dict[int, list[Undo]] = {}

    def join(self, profiles: list[Id]) -> Constraint:
        before = self.live()
        _, found, settlement = unite(self.act(), profiles)
        self.store.write(found, settlement, {}, {})
        word = self.store.rules[-1]
        self.made[id(word)] = [
            Undo(self._new_id(), d.source, d.target, before[d.source], before[d.target])
            for d in settlement.decisions
            if isinstance(d, Merged) and d.records <= word.left | word.right
        ]
        return word

    def take_out(self, profile: Id, chosen: RecordSet) -> Constraint:
        found, settlement = part(self.act(), profile, self.store.members([profile]), chosen)
        self.store.write(found, settlement, {}, {})
        return self.store.rules[-1]

    def say(self, word: Constraint) -> Constraint:
        act = self.act()
        act.constrain(word)
        found = act.gather(frozenset(homes(self.store, word.left | word.right).values()))
        self.store.write(found, act.settle(found), {}, {})
        return word

    def revoke(self, *words: Constraint) -> None:
        """Ids that joining made go come back."""
        act = self.act()
        act.revoke(words)
        made = [undo for w in words for undo in self.made.pop(id(w), ())]
        _, found, settlement = decide_without(act, words, claims(made))
        self.store.write(found, settlement, {}, {})

    def live(self) -> dict[Id, RecordSet]:
        members = {p: self.store.members([p]) for p in sorted(self.store.profiles)}
        return {p: records for p, records in members.items() if records}

    def equals_scratch(self, arrivals: list[Person]) -> None:
        """What stands is what a history has in which nothing was said but what stands, and that at its end."""
        records, rules = [p.record_id for p in arrivals], self.store.rules
        assert all(
            self.store.profiles[p].is_merged != bool(self.store.members([p])) for p in self.store.profiles
        )
        without = History(self.rules)
        without.arrive(arrivals)
        for word in rules:
            without.say(word)
        scratch = frozenset(resolve_all(keyed(arrivals), rules, model(), self.rules).clusters)
        assert self.store.partition() == without.store.partition() == scratch
        assert golden(self.store) == golden(without.store)
        assert reviews(self.store) == reviews(without.store)
        should = evidence_from_scratch(arrivals, self.rules, rules)
        assert evidence_stored(self.store, records, self.rules) == should


def acts(history: History, data: st.DataObject) -> None:
    """Some steward does something."""
    live = history.live()
    several = {p: records for p, records in live.items() if len(records) > 1}
    can: dict[str, Callable[[], object]] = {}
    if history.merges:
        can["undo"] = lambda: history.undo([data.draw(st.sampled_from(history.merges))])
    if several:
        can["take out"] = lambda: _take_out(history, several, data)
    if len(live) > 1:
        chosen = st.lists(st.sampled_from(list(live)), min_size=2, max_size=3, unique=True)
        can["join"] = lambda: history.join(data.draw(chosen))
    if len(history.store.records) > 1:
        can["say"] = lambda: _say(history, data)
    if history.store.rules:
        can["revoke"] = lambda: history.revoke(data.draw(st.sampled_from(history.store.rules)))
        can["revoke more"] = lambda: history.revoke(
            *data.draw(st.lists(st.sampled_from(history.store.rules), min_size=1, unique_by=id))
        )
    if can:
        can[data.draw(st.sampled_from(sorted(can)))]()


def _take_out(history: History, several: dict[Id, RecordSet], data: st.DataObject) -> None:
    profile = data.draw(st.sampled_from(list(several)))
    members = sorted(several[profile])
    chosen = data.draw(st.frozensets(st.sampled_from(members), min_size=1, max_size=len(members) - 1))
    history.take_out(profile, chosen)


def _say(history: History, data: st.DataObject) -> None:
    records = sorted(history.store.records)
    left = data.draw(st.frozensets(st.sampled_from(records), min_size=1, max_size=4))
    right = data.draw(st.frozensets(st.sampled_from(records), min_size=1, max_size=4)) - left
    if right:
        history.say(Constraint(data.draw(st.sampled_from(ConstraintKind)), left, right))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(people, min_size=3, max_size=12, unique_by=lambda p: p.record_id), st.data(), limits)
def test_what_is_revoked_leaves_what_a_history_without_it_leaves(
    arrivals: list[Person], data: st.DataObject, small: tuple[int, int] | None
) -> None:
    history = History(narrow(*small) if small else policy())
    left = list(arrivals)
    while left:
        coming = data.draw(st.integers(1, len(left)), label="come")
        history.arrive(left[:coming])
        del left[:coming]
        for _ in range(data.draw(st.integers(0, 3), label="acts")):
            acts(history, data)
    history.equals_scratch(arrivals)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(people, min_size=3, max_size=12, unique_by=lambda p: p.record_id), st.data(), limits)
def test_all_that_was_said_taken_back_leaves_what_nobody_ever_said_leaves(
    arrivals: list[Person], data: st.DataObject, small: tuple[int, int] | None
) -> None:
    history = History(narrow(*small) if small else policy())
    at = data.draw(st.integers(2, len(arrivals)))
    history.arrive(arrivals[:at])
    for _ in range(data.draw(st.integers(1, 4))):
        acts(history, data)
    history.arrive(arrivals[at:])
    for word in data.draw(st.permutations(history.store.rules)):
        history.revoke(word)
    assert history.store.rules == []
    history.equals_scratch(arrivals)

"""What another policy or model would change, on a few people one can follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.identity.compare import compare, side
from pipeline.identity.difference import ChangeKind, applied
from pipeline.identity.estimate import Agreement
from pipeline.identity.explain.weighing import Configuration
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.identity.policy import Policy
from pipeline.identity.score import Level, Model, confidence
from pipeline.identity.scratch import KeyedRecords, resolve_all
from pipeline.whatif.run import compare_alike, stated
from pipeline.whatif.simulation import Simulation, Standing, deciding, simulate
from tests.property.test_identity import histories
from tests.support.people import Person, model, person, policy

ANN = {"first_name": "Ann", "last_name": "Berg", "date_of_birth": "1980-01-02"}


def by(**settings: object) -> Configuration:
    """The shipped model under another policy."""
    return Configuration(model(), replace(policy(), version="other", **settings))  # type: ignore[arg-type]


def heavier(attribute: str, level: str, bits: float) -> Model:
    """The active model with one level that weighs so much more."""
    stands = model().levels[attribute][level]
    levels = {
        **model().levels[attribute],
        level: Level(attribute, level, stands.weight + bits, stands.household),
    }
    return replace(model(), version="other", levels={**model().levels, attribute: levels})


def keyed(*people: Person) -> KeyedRecords:
    found = {}
    for p in people:
        assert p.arrival.record is not None
        found[p.record_id] = p.arrival.record, p.arrival.keys
    return found


MAIL = person({"email": "ann@mailbox.net"}, **ANN)
DEVICE = person({"device_id": "d-1"}, **ANN)
STRANGER = person({"email": "zed@mailbox.net"}, first_name="Zed", last_name="Quist")
PEOPLE = keyed(MAIL, DEVICE, STRANGER)


def weight(one: Person, other: Person) -> float:
    """The evidence between two people by the shipped model, in bits."""
    records = (p.arrival.record for p in (one, other))
    a, b = (side((record,)) for record in records if record is not None)
    return compare(a, b, model(), policy()).weight


SURE = weight(MAIL, DEVICE)
"""The same name and birth date."""
ACTIVE = by(auto_merge=confidence(SURE - 1), review=confidence(SURE - 3))
STRICT = by(auto_merge=confidence(SURE + 1), review=confidence(SURE - 3))
LOOSE = by(auto_merge=confidence(SURE - 2), review=confidence(SURE - 3))


def simulated(other: Configuration, *constraints: Constraint, standing: Standing | None = None) -> Simulation:
    return simulate(PEOPLE, constraints, constraints, ACTIVE, other, standing)


def test_the_same_again_changes_nothing() -> None:
    found = simulated(ACTIVE)
    assert (found.changes, found.drift, found.touched()) == ((), 0, 0)
    assert found.before == found.after
    (judged,) = found.judged
    assert judged.before == judged.after


def test_a_stricter_policy_splits_and_asks_instead() -> None:
    found = simulated(STRICT)
    (change,) = found.changes
    assert change.kind is ChangeKind.SPLIT
    assert change.before == (frozenset((MAIL.record_id, DEVICE.record_id)),)
    assert (found.touched(), len(found.before), len(found.after)) == (1, 2, 3)
    queue = found.queue
    assert (dict(queue.before), dict(queue.after)) == ({}, {"score_in_review_band": 1})
    assert (queue.stay, queue.come, queue.go) == (0, 1, 0)
    edge = deciding(found)[change]
    assert {edge.low, edge.high} == {MAIL.record_id, DEVICE.record_id}


def test_a_looser_one_merges_what_stood_apart() -> None:
    standing = Standing(tuple(frozenset((r,)) for r in PEOPLE), ((MAIL.record_id, DEVICE.record_id, "x"),))
    found = simulated(LOOSE, standing=standing)
    (change,) = found.changes
    assert change.kind is ChangeKind.MERGE
    assert found.drift == 2, "the active configuration would have merged the two as well"
    assert (dict(found.queue.before), found.queue.go) == ({"x": 1}, 1)
    assert deciding(found)[change] == found.other.partition.joined[0]


def test_precision_and_recall_move_against_each_other() -> None:
    (judged,) = simulated(STRICT).judged
    assert judged.after.precision > judged.before.precision
    assert judged.after.recall < judged.before.recall


def test_another_model_is_judged_by_both() -> None:
    found = simulated(Configuration(heavier("date_of_birth", "exact", -8.0), ACTIVE.policy))
    assert [j.by for j in found.judged] == ["active", "other"]
    assert found.judged[0].before.precision > found.judged[1].before.precision
    assert len(found.changes) == 1


def test_stewards_are_heard_by_both_and_told_apart_from_what_either_would_have_said() -> None:
    apart = Constraint(
        ConstraintKind.CANNOT_LINK, frozenset((MAIL.record_id,)), frozenset((DEVICE.record_id,))
    )
    found = simulated(STRICT, apart)
    assert found.changes == ()
    assert found.agreement == (Agreement(0, 1), Agreement(1, 1))
    (judged,) = found.judged
    assert judged.before.true_apart < 0.01, "a pair that a steward parted is not missed"


def test_of_must_and_cannot_the_cannot_counts() -> None:
    a, b, c = (Id(bytes(15) + bytes((n,))) for n in range(3))
    must = Constraint(ConstraintKind.MUST_LINK, frozenset((a, b)), frozenset((c,)))
    cannot = Constraint(ConstraintKind.CANNOT_LINK, frozenset((c,)), frozenset((a,)))
    expected = {(a, b): 1.0, (b, c): 1.0, (a, c): 0.0}
    assert stated((must, cannot)) == stated((cannot, must)) == expected


@pytest.mark.parametrize(
    ("settings", "alike"),
    [
        ({"auto_merge": 0.9}, True),
        ({"neighbourhood_limit": 7, "source_trust": {"pos": 1}}, True),
        ({"role_mailboxes": frozenset(("sales",))}, False),
        ({"block_caps": dict.fromkeys(policy().block_caps, 2)}, False),
    ],
)
def test_what_no_comparison_asks_for_makes_no_difference_to_one(
    settings: Mapping[str, object], alike: bool
) -> None:
    assert compare_alike(by(), by(**settings)) is alike
    assert not compare_alike(by(), Configuration(heavier("email", "exact", 1.0), policy()))


SHIPPED = Configuration(model(), policy())
policies = st.builds(
    lambda auto, review, limit, cap: replace(
        policy(),
        version="other",
        auto_merge=max(auto, review),
        review=review,
        neighbourhood_limit=limit,
        block_caps=dict.fromkeys(policy().block_caps, cap),
    ),
    st.sampled_from([0.5, 0.8, 0.95, 0.9999]),
    st.sampled_from([0.2, 0.45, 0.6]),
    st.sampled_from([2, 200]),
    st.sampled_from([2, 500]),
)


@given(histories(), policies, st.booleans())
@settings(max_examples=80, deadline=None)
def test_it_foretells_what_clustering_would_say(
    history: tuple[KeyedRecords, list[Constraint]], other: Policy, lighter: bool
) -> None:
    records, constraints = history
    then = Configuration(heavier("date_of_birth", "exact", -3.0) if lighter else model(), other)
    found = simulate(records, constraints, constraints, SHIPPED, then)
    assert found.before == resolve_all(records, constraints, *SHIPPED).clusters
    assert found.after == resolve_all(records, constraints, *then).clusters
    assert applied(found.changes, found.before) == frozenset(found.after)
    assert sum(found.queue.after.values()) == found.queue.stay + found.queue.come
    for judged in found.judged:
        for estimate in (judged.before, judged.after):
            assert 0 <= estimate.precision <= 1
            assert 0 <= estimate.recall <= 1

"""Records into customers: joins, refusals, constraints, limits."""

from __future__ import annotations

from dataclasses import replace

from pipeline.codes import ReasonCode
from pipeline.identity.cluster import cluster
from pipeline.identity.compare import compare, side
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Constraint,
    ConstraintKind,
    Edge,
    Identifier,
    IdentifierType,
    IdentityRecord,
    Partition,
    Trait,
)
from pipeline.identity.scratch import evidence
from tests.support.ids import number_of, numbered
from tests.support.people import model, policy

ONE, TWO, THREE, FOUR = (numbered(n) for n in (1, 2, 3, 4))


def record(number: int, first: str = "", email: str = "", loyalty: str = "", **traits: str) -> IdentityRecord:
    identifiers = [Identifier(IdentifierType.EMAIL, email)] if email else []
    identifiers += [Identifier(IdentifierType.LOYALTY_ID, loyalty)] if loyalty else []
    named = {Trait.FIRST_NAME: first} if first else {}
    return IdentityRecord(
        numbered(number), tuple(identifiers), {**named, **{Trait(k): v for k, v in traits.items()}}
    )


def clustered(
    *records: IdentityRecord, constraints: tuple[Constraint, ...] = (), limit: int = 200
) -> Partition:
    held = {r.record_id: r for r in records}
    pairs = frozenset((low, high) for low in held for high in held if low < high)
    edges = [e for e in evidence(pairs, {r: (x, ()) for r, x in held.items()}, model(), policy()) if e]
    return cluster(held, edges, constraints, model(), replace(policy(), neighbourhood_limit=limit))


def sets(partition: Partition) -> list[set[int]]:
    return [{number_of(r) for r in c} for c in partition.clusters]


def constraint(kind: ConstraintKind, left: set[Id], right: set[Id]) -> Constraint:
    return Constraint(kind, frozenset(left), frozenset(right))


def test_every_record_is_in_one_cluster() -> None:
    found = clustered(record(1, email="a@x.org"), record(2, email="a@x.org"), record(3, email="c@x.org"))
    assert sets(found) == [{1, 2}, {3}]
    assert [(number_of(e.low), number_of(e.high)) for e in found.joined] == [(1, 2)]
    assert found.refused == ()


def test_a_bare_contact_joins_one_of_a_household_and_the_rest_is_for_a_steward() -> None:
    found = clustered(
        record(1, "mary", "k@x.org", last_name="kusha"),
        record(2, "george", "k@x.org", last_name="kusha"),
        record(3, email="k@x.org"),
    )
    assert sorted(map(len, sets(found))) == [1, 2]
    assert [reason for _, reason in found.refused] == [ReasonCode.INCOHERENT_CLUSTER]


def test_an_exclusive_identifier_keeps_clusters_apart_however_they_hang_together() -> None:
    found = clustered(
        record(1, "ada", "a@x.org", "L-1"), record(2, "ada", "a@x.org"), record(3, "ada", "a@x.org", "L-2")
    )
    assert sorted(map(len, sets(found))) == [1, 2]
    assert [reason for _, reason in found.refused] == [ReasonCode.VETO_EXCLUSIVE_IDENTIFIER]


def test_a_cannot_link_parts_and_asks_nobody() -> None:
    parted = constraint(ConstraintKind.CANNOT_LINK, {ONE}, {THREE})
    found = clustered(*(record(n, "ada", "a@x.org") for n in (1, 2, 3)), constraints=(parted,))
    assert sets(found) == [{1, 2}, {3}]
    assert found.refused == ()


def test_a_must_link_joins_what_nothing_else_would() -> None:
    joined = constraint(ConstraintKind.MUST_LINK, {ONE}, {TWO, FOUR})
    found = clustered(
        record(1, "ada"), record(2, "bo"), record(3, "cy"), record(4, "di"), constraints=(joined,)
    )
    assert sets(found) == [{1, 2, 4}, {3}]


def test_a_cannot_link_stands_against_a_must_link() -> None:
    both = tuple(constraint(kind, {ONE}, {TWO}) for kind in ConstraintKind)
    assert sets(clustered(record(1, "ada", "a@x.org"), record(2, "ada", "a@x.org"), constraints=both)) == [
        {1},
        {2},
    ]


def test_large_clusters_do_not_join_but_a_single_record_may() -> None:
    first = [record(n, email="a@x.org") for n in (1, 2)]
    second = [record(n, email="b@x.org") for n in (3, 4)]
    bridge = IdentityRecord(
        numbered(5),
        (Identifier(IdentifierType.EMAIL, "a@x.org"), Identifier(IdentifierType.EMAIL, "b@x.org")),
        {},
    )
    assert sets(clustered(*first, *second, bridge)) == [{1, 2, 3, 4, 5}]
    limited = clustered(*first, *second, bridge, limit=4)
    assert sets(limited) == [{1, 2, 5}, {3, 4}]
    assert [reason for _, reason in limited.refused] == [ReasonCode.NEIGHBOURHOOD_TOO_LARGE]


def test_a_review_is_asked_once_for_a_pair_of_clusters_on_its_best_edge() -> None:
    weak = {"last_name": "smith", "city": "hull", "gender": "f"}
    found = clustered(
        record(1, "mary", "a@x.org", **weak), record(2, "mary", "a@x.org"), record(3, "mary", **weak)
    )
    assert sets(found) == [{1, 2}, {3}]
    [(edge, reason)] = found.refused
    assert (edge.low, edge.high, reason) == (ONE, THREE, ReasonCode.SCORE_IN_REVIEW_BAND)


def test_edges_to_records_elsewhere_are_left_out() -> None:
    a, b = record(1, email="a@x.org"), record(2, email="a@x.org")
    edge = Edge(ONE, TWO, compare(side([a]), side([b]), model(), policy()))
    assert cluster({ONE: a}, [edge], (), model(), policy()).clusters == (frozenset({ONE}),)


def test_hundreds_of_records_of_one_customer() -> None:
    found = clustered(*(record(n, email="a@x.org", city=f"town{n}") for n in range(1, 301)), limit=400)
    assert len(found.clusters) == 1

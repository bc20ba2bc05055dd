"""Answers to reviews on a real Postgres: what each means, that it lasts, and that no other question is answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipeline.answer import Answer, Answered
from pipeline.codes import ReasonCode
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.verify.verification import verify
from tests.support.people import model, policy, ring
from tests.support.pipeline import StagesOnPostgres, event

ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}
EMAIL = {"email": "anna@mailbox.net"}
TILL = {"email": "counter7@mailbox.net"}
PEOPLE = ["Anna Kowalski", "John Smith", "Mary Jones", "Peter Brown", "Susan Miller"]

RULES = replace(policy(), split_limit=1, version="here")
"""No split of two records goes unasked."""


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    assert [f.as_dict() for f in verify(opened.database, ring(), model(), opened.rules).faults] == []
    opened.close()


def doubt(stages: StagesOnPostgres) -> Id:
    """Two who agree in all but their loyalty id, and the review of them."""
    stages.send(event(1, {"loyalty_id": "L-1001", **EMAIL}, traits=ANNA))
    stages.send(event(2, {"loyalty_id": "L-2002", **EMAIL}, traits=ANNA))
    assert stages.profiles() >= {frozenset({"001"}), frozenset({"002"})}
    return stages.review()


def proposal(stages: StagesOnPostgres, *more: int) -> Id:
    """A customer held together although a till's e-mail, which five people share, was all that held it together: events
    1, 2 and `more`, each a part."""
    stages.send(named(1, PEOPLE[0]))
    for number in (2, *more):
        stages.send(event(number, {**TILL, "cookie_id": f"c-{number}"}))
    for number, name in enumerate(PEOPLE[1:], start=3):
        stages.send(named(number, name))
    assert frozenset(f"{n:03d}" for n in (1, 2, *more)) in stages.profiles()
    return stages.review("split")


def named(number: int, name: str) -> dict[str, object]:
    first, last = name.split()
    return dict(event(number, TILL, traits={"first_name": first, "last_name": last}))


def home_of(stages: StagesOnPostgres, number: int) -> Id:
    rows = stages.rows(
        "SELECT r.profile_id FROM event e JOIN identity_record r USING (record_id) WHERE e.event_id = %s",
        f"00000000-0000-4000-8000-{number:012d}",
    )
    found: Id = rows[0][0]
    return found


def constraints(stages: StagesOnPostgres) -> list[tuple[str, int, int]]:
    return [
        (kind, len(left), len(right))
        for kind, left, right in stages.rows(
            "SELECT kind, left_records, right_records FROM identity_constraint ORDER BY constraint_id"
        )
    ]


def told(stages: StagesOnPostgres, kind: str) -> list[object]:
    return [m["status"] for m in stages.outbox("identity.reviews") if m["kind"] == kind]


# ── a merge in doubt ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_approved_merge_is_carried_out_and_told(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    older, younger = home_of(stages, 1), home_of(stages, 2)
    found = stages.answer(review, Answer.APPROVED, "she has two cards")
    ((logged,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log")
    assert found == Answered(review, "merge", Answer.APPROVED, (older,), (logged,))
    assert stages.profiles() == {frozenset({"001", "002"})}
    assert constraints(stages) == [("must_link", 1, 1)]
    assert stages.rows(
        "SELECT kind, source_profile, target_profile, actor, reason, confidence_score > 0.9 FROM identity_merge_log"
    ) == [("merged", younger, older, "steward", "she has two cards", True)]
    (merge,) = stages.outbox("identity.merges")
    assert (merge["kind"], merge["profile_id"]) == ("merged", str(older))
    assert [(s["profile_id"], s["change"], s["status"]) for s in stages.outbox("profiles.updates")[-2:]] == [
        (str(older), "merged", "active"),
        (str(younger), "merged", "merged"),
    ]
    assert told(stages, "merge") == ["pending", "approved"]


def test_what_was_approved_outlasts_what_comes(stages: StagesOnPostgres) -> None:
    stages.answer(doubt(stages), Answer.APPROVED)
    stages.send(event(3, {"loyalty_id": "L-2002", "cookie_id": "c-1"}, traits=ANNA))
    assert stages.profiles() == {frozenset({"001", "002", "003"})}


def test_an_approved_merge_can_be_rolled_back(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    (merge,) = stages.answer(review, Answer.APPROVED).merge_log_ids
    stages.rollback(merge)
    assert stages.profiles() == {frozenset({"001"}), frozenset({"002"})}
    with pytest.raises(Conflict, match="was approved before"):
        stages.answer(review, Answer.REJECTED)


def test_a_rejected_merge_is_never_asked_again(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    found = stages.answer(review, Answer.REJECTED, "mother and daughter")
    both = tuple(sorted((home_of(stages, 1), home_of(stages, 2))))
    assert found == Answered(review, "merge", Answer.REJECTED, both, ())
    assert constraints(stages) == [("cannot_link", 1, 1)]
    assert told(stages, "merge") == ["pending", "rejected"]
    # a record that would be either's, and one that agrees with both, come: neither brings them together
    stages.send(event(3, {"loyalty_id": "L-1001", "cookie_id": "c-1"}, traits=ANNA))
    stages.send(event(4, EMAIL, traits=ANNA))
    assert home_of(stages, 1) != home_of(stages, 2)
    asked = stages.rows("SELECT low_profile, high_profile FROM review_queue WHERE status = 'pending'")
    assert both not in asked


def test_the_same_answer_twice_is_one_and_another_is_refused(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    first = stages.answer(review, Answer.APPROVED)
    tables = ("identity_constraint", "identity_merge_log", "outbox")
    stands = {t: stages.rows(f"SELECT * FROM {t}") for t in tables}
    assert stages.answer(review, Answer.APPROVED) == replace(first, merge_log_ids=())
    with pytest.raises(Conflict, match=r"was approved before, by steward on .*roll back the merge"):
        stages.answer(review, Answer.REJECTED)
    with pytest.raises(NotFound, match="no review"):
        stages.answer(new_id(), Answer.APPROVED)
    with pytest.raises(BadInput, match="say why"):
        stages.answer(review, Answer.APPROVED, " ")
    assert {t: stages.rows(f"SELECT * FROM {t}") for t in tables} == stands


def test_records_that_came_meanwhile_go_with_their_profile(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    stages.send(event(3, {"loyalty_id": "L-1001", "cookie_id": "c-1"}, traits=ANNA))
    assert stages.review() == review
    stages.answer(review, Answer.REJECTED)
    assert sorted(constraints(stages)[0][1:]) == [1, 2]


# ── stale ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("is_older", [True, False])
def test_a_review_of_a_profile_that_was_merged_since_is_asked_anew(
    stages: StagesOnPostgres, is_older: bool
) -> None:
    """Whether the other one, which it merged with, survives or went."""
    stages.send(*([event(3, {"phone": "+14155550101"})] if is_older else []))
    review = doubt(stages)
    stages.send(*([] if is_older else [event(3, {"phone": "+14155550101"})]))
    before = home_of(stages, 1)
    stages.send(event(4, {"phone": "+14155550101", "loyalty_id": "L-1001"}, traits=ANNA))
    assert frozenset({"001", "003", "004"}) in stages.profiles()
    assert (home_of(stages, 1) != before) == is_older
    with pytest.raises(Conflict, match=r"is obsolete: .* List the reviews again"):
        stages.answer(review, Answer.APPROVED)
    assert constraints(stages) == []
    assert stages.rows("SELECT status FROM review_queue WHERE review_id = %s", review) == [("obsolete",)]
    stages.answer(stages.review(), Answer.APPROVED)
    assert len(stages.profiles()) == 1


def test_a_review_of_a_profile_that_was_split_since_is_asked_anew(stages: StagesOnPostgres) -> None:
    doubt(stages)
    stages.send(event(3, {"phone": "+14155550101"}))
    stages.send(event(4, {"phone": "+14155550101", "loyalty_id": "L-1001"}, traits=ANNA))
    review = stages.review()
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged'")
    stages.rollback(merge)
    with pytest.raises(Conflict, match="is obsolete"):
        stages.answer(review, Answer.REJECTED)


def test_an_answer_that_would_change_more_than_was_shown_is_not_given(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    stages.send(event(3, {"loyalty_id": "L-1001", "cookie_id": "c-1"}))
    assert frozenset({"001", "003"}) in stages.profiles()
    # by rules that nothing but a steward satisfies, the profile would fall apart as well
    stages.rules = replace(policy(), auto_merge=1.0, version="strict")
    with pytest.raises(Conflict, match=r"more would change than review .* list the reviews again"):
        stages.answer(review, Answer.REJECTED)
    assert constraints(stages) == []
    assert stages.profiles() == {frozenset({"001"}), frozenset({"002"}), frozenset({"003"})}
    assert stages.rows("SELECT actor, reason FROM identity_merge_log") == [
        ("steward", ReasonCode.BETTER_CLUSTER)
    ]
    assert stages.rows("SELECT status FROM review_queue WHERE review_id = %s", review) == [("obsolete",)]


def test_an_approval_does_not_outweigh_a_cannot_link(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    ((left, right),) = stages.rows("SELECT low_record, high_record FROM review_queue")
    with stages.database.transaction() as tx:
        tx.run(
            "insert_constraint",
            {
                "constraint_id": new_id(),
                "kind": "cannot_link",
                "left": [left],
                "right": [right],
                "actor": "a",
                "reason": "b",
                "now": stages.rows("SELECT now()")[0][0],
                "review_id": None,
            },
        )
    with pytest.raises(Conflict, match="two people, which outweighs it: reject the review"):
        stages.answer(review, Answer.APPROVED)
    stages.answer(review, Answer.REJECTED)


# ── a proposed split ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_approved_split_is_carried_out_and_told(stages: StagesOnPostgres) -> None:
    review = proposal(stages)
    large = home_of(stages, 1)
    found = stages.answer(review, Answer.APPROVED, "a till's e-mail")
    assert home_of(stages, 1) == large  # the part with the oldest record keeps the id
    assert found.profiles == tuple(sorted((large, home_of(stages, 2))))
    assert len(found.merge_log_ids) == 1
    assert constraints(stages) == [("cannot_link", 1, 1)]
    assert stages.rows("SELECT kind, source_profile, actor, reason FROM identity_merge_log") == [
        ("split", large, "steward", "a till's e-mail")
    ]
    assert [m["kind"] for m in stages.outbox("identity.merges")] == ["split"]
    assert {(s["profile_id"], s["change"]) for s in stages.outbox("profiles.updates")[-2:]} == {
        (str(p), "split") for p in found.profiles
    }
    assert told(stages, "split") == ["pending", "approved"]
    assert stages.rows("SELECT count(*) FROM customer_profile WHERE held") == [(0,)]


def test_what_was_split_stays_apart(stages: StagesOnPostgres) -> None:
    stages.answer(proposal(stages), Answer.APPROVED)
    first, last = PEOPLE[0].split()
    stages.send(event(8, {**TILL, "cookie_id": "c-2"}, traits={"first_name": first, "last_name": last}))
    assert home_of(stages, 1) != home_of(stages, 2)
    assert told(stages, "split") == ["pending", "approved"]


def test_a_rejected_split_leaves_the_profile_whole_and_is_not_proposed_again(
    stages: StagesOnPostgres,
) -> None:
    review = proposal(stages)
    large = home_of(stages, 1)
    versions = stages.rows("SELECT profile_id, version FROM customer_profile ORDER BY profile_id")
    found = stages.answer(review, Answer.REJECTED, "one and the same")
    assert found == Answered(review, "split", Answer.REJECTED, (large,), ())
    assert constraints(stages) == [("must_link", 1, 1)]
    assert stages.rows("SELECT profile_id, version FROM customer_profile ORDER BY profile_id") == versions
    assert stages.rows("SELECT count(*) FROM customer_profile WHERE held") == [(0,)]
    # the key is worn further, and the profile is decided afresh at each step
    for number in range(10, 16):
        stages.send(
            named(number, f"Given{'abcdefghij'[number % 10] * 3} Surn{'klmnopqrst'[number % 10] * 4}")
        )
    stages.send(event(30, {"cookie_id": "c-2"}))
    assert home_of(stages, 1) == home_of(stages, 2) == large
    assert told(stages, "split") == ["pending", "rejected"]


def test_a_merge_with_a_held_profile_waits_for_the_split(stages: StagesOnPostgres) -> None:
    split = proposal(stages)
    large = home_of(stages, 1)
    merges = [
        r
        for (r,) in stages.rows(
            "SELECT review_id FROM review_queue WHERE kind = 'merge' AND status = 'pending' "
            "AND %s IN (low_profile, high_profile)",
            large,
        )
    ]
    assert merges
    for answer in Answer:
        with pytest.raises(Conflict, match=f"{large} waits for an answer whether it is to be split"):
            stages.answer(merges[0], answer)
    stages.answer(split, Answer.REJECTED)
    stages.answer(merges[0], Answer.REJECTED)


def test_a_record_that_joined_a_part_goes_with_it(stages: StagesOnPostgres) -> None:
    review = proposal(stages)
    stages.send(event(20, {**TILL, "cookie_id": "c-2", "device_id": "d-1"}))
    assert stages.review("split") == review
    stages.answer(review, Answer.APPROVED)
    assert home_of(stages, 20) == home_of(stages, 2) != home_of(stages, 1)


def test_a_proposal_that_falls_otherwise_by_now_is_another_one(stages: StagesOnPostgres) -> None:
    review = proposal(stages, 20, 21)
    stages.send(event(30, {"cookie_id": ["c-20", "c-21"]}))  # two of the parts are one
    with pytest.raises(Conflict, match="is obsolete"):
        stages.answer(review, Answer.APPROVED)
    assert told(stages, "split")[-2:] == ["obsolete", "pending"]
    stages.answer(stages.review("split"), Answer.APPROVED)
    assert home_of(stages, 20) == home_of(stages, 21) == home_of(stages, 30)
    assert len({home_of(stages, n) for n in (1, 2, 20)}) == 3


def test_many_parts_come_apart_by_few_constraints(stages: StagesOnPostgres) -> None:
    found = stages.answer(proposal(stages, 20, 21, 22, 23), Answer.APPROVED)
    assert len(found.profiles) == 6
    assert len(found.merge_log_ids) == 5
    assert sorted(constraints(stages)) == [
        ("cannot_link", 3, 3),
        ("cannot_link", 4, 2),
        ("cannot_link", 4, 2),
    ]
    stages.send(event(30, {"cookie_id": ["c-20", "c-21", "c-22"]}))  # they are people apart, whatever comes
    assert len({home_of(stages, n) for n in (1, 2, 20, 21, 22, 23)}) == 6

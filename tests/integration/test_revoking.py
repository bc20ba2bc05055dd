"""What stewards said taken back on a real Postgres: what comes of each word, that it lasts, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.answer import Answer
from pipeline.erasure.erase import forget_now
from pipeline.errors import BadInput, Conflict, NotFound, PreconditionFailed
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.revoking import revoke_constraint
from pipeline.store.constraints import StoredConstraint, Wanted, read_constraint, read_constraints
from pipeline.store.reviews import StoredReview, read_review
from pipeline.store.roles import Role
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import Destination
from pipeline.unmerge.taking_out import take_out
from pipeline.verify.verification import verify
from tests.integration.test_answers import (
    ANNA,
    PEOPLE,
    RULES,
    TILL,
    doubt,
    home_of,
    named,
    proposal,
    told,
)
from tests.integration.test_joining import customers, join, strangers
from tests.integration.test_unmerge import MAIL, PHONE, all_of_it, chain, merges, record
from tests.support.people import model, ring
from tests.support.pipeline import StagesOnPostgres, event

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    assert [f.as_dict() for f in verify(opened.database, ring(), model(), opened.rules).faults] == []
    opened.close()


def words(stages: StagesOnPostgres, *, revoked: bool | None = False) -> list[StoredConstraint]:
    """The newest first."""
    with stages.database.transaction() as tx:
        return read_constraints(tx, Wanted(revoked=revoked), 100)


def word(stages: StagesOnPostgres) -> Id:
    """The one that stands."""
    (one,) = words(stages)
    return one.constraint_id


def review_of(stages: StagesOnPostgres, review: Id) -> StoredReview:
    with stages.database.transaction() as tx:
        return read_review(tx, review)


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_approved_merge_taken_back_is_in_doubt_as_before(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    older, younger = home_of(stages, 1), home_of(stages, 2)
    before = customers(stages)
    stages.answer(review, Answer.APPROVED, "two cards")
    said = word(stages)
    done = stages.revoke(said, "they are sisters")
    assert customers(stages) == before
    assert (home_of(stages, 1), home_of(stages, 2)) == (older, younger)
    (move,) = done.moves
    assert (move.source, move.target, move.destination) == (older, younger, Destination.RESTORED)
    assert (done.constraint_ids, done.review_id, done.asked, done.retired) == ((said,), review, 1, 0)
    assert stages.rows(
        "SELECT merge_log_id, kind, source_profile, target_profile, actor, reason, rolled_back FROM identity_merge_log "
        "WHERE kind <> 'merged'"
    ) == [(*done.merge_log_ids, "split", older, younger, "steward", "they are sisters", False)]
    again = stages.review()
    assert again != review
    old = review_of(stages, review)
    assert (old.status, old.answered_by, old.answer_reason) == ("revoked", "steward", "two cards")
    assert (old.constraint_id, old.revoked_by, old.revoke_reason) == (said, "steward", "they are sisters")
    assert told(stages, "merge") == ["pending", "approved", "revoked", "pending"]
    assert [m["kind"] for m in stages.outbox("identity.merges")] == ["merged", "split"]
    states = [(s["profile_id"], s["change"], s["status"]) for s in stages.outbox("profiles.updates")[-2:]]
    assert sorted(states) == sorted((str(p), "split", "active") for p in (older, younger))
    # and it may be answered otherwise
    stages.answer(again, Answer.REJECTED)


def test_a_rejected_merge_taken_back_is_asked_again(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    stages.answer(review, Answer.REJECTED, "twins")
    versions = stages.rows("SELECT profile_id, version FROM customer_profile ORDER BY 1")
    done = stages.revoke(word(stages))
    assert (done.moves, done.merge_log_ids, done.asked) == ((), (), 1)
    assert stages.rows("SELECT profile_id, version FROM customer_profile ORDER BY 1") == versions
    assert told(stages, "merge") == ["pending", "rejected", "revoked", "pending"]
    stages.answer(stages.review(), Answer.APPROVED)
    assert stages.profiles() == {frozenset({"001", "002"})}


def test_an_answer_that_was_taken_back_is_not_given_again(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    stages.answer(review, Answer.APPROVED)
    with pytest.raises(Conflict, match=f"roll back the merge it made, or revoke constraint {word(stages)}"):
        stages.answer(review, Answer.REJECTED)
    stages.revoke(word(stages))
    before = all_of_it(stages)
    for answer in Answer:
        with pytest.raises(Conflict, match=r"was taken back, by steward on .* List the reviews again"):
            stages.answer(review, answer)
    assert all_of_it(stages) == before


def test_an_answer_about_people_who_were_forgotten_names_nothing_to_revoke(stages: StagesOnPostgres) -> None:
    review = doubt(stages)
    stages.answer(review, Answer.REJECTED)
    forget_now(
        stages.stewardship(Role.ERASER),
        home_of(stages, 1),
        Asked("ann", "she asked for it", datetime.now(UTC)),
    )
    assert words(stages, revoked=None) == []
    with pytest.raises(Conflict, match=r"was rejected before, by somebody on [\d-]+: that stands$"):
        stages.answer(review, Answer.APPROVED)


def test_a_revoked_constraint_outlasts_a_person_it_named_who_was_forgotten(
    stages: StagesOnPostgres,
) -> None:
    """What it says of the others stays, and stays revoked."""
    profiles = strangers(stages)
    join(stages, *profiles)
    assert record_count(words(stages)[0]) == 4
    done = stages.revoke(word(stages))
    forget_now(
        stages.stewardship(Role.ERASER), profiles[2], Asked("ann", "she asked for it", datetime.now(UTC))
    )
    (left,) = words(stages, revoked=True)
    assert left.constraint_id == done.constraint_ids[0]
    assert record_count(left) == 3
    with pytest.raises(Conflict, match="was revoked before"):
        stages.revoke(left.constraint_id)
    join(stages, *profiles[:2])
    stages.revoke(word(stages))
    assert [home_of(stages, n) for n in (1, 2)] == profiles[:2]


def record_count(one: StoredConstraint) -> int:
    return len(one.left_records) + len(one.right_records)


def test_what_came_since_stays_where_evidence_puts_it(stages: StagesOnPostgres) -> None:
    stages.answer(doubt(stages), Answer.APPROVED)
    stages.send(event(3, {"loyalty_id": "L-2002", "cookie_id": "c-1"}, traits=ANNA))
    younger = stages.rows("SELECT profile_id FROM customer_profile WHERE is_merged")[0][0]
    stages.revoke(word(stages))
    assert home_of(stages, 2) == home_of(stages, 3) == younger != home_of(stages, 1)


def test_a_rejected_split_taken_back_is_proposed_again(stages: StagesOnPostgres) -> None:
    review = proposal(stages)
    large = home_of(stages, 1)
    stages.answer(review, Answer.REJECTED)
    done = stages.revoke(word(stages))
    assert (done.moves, done.asked) == ((), 1)
    assert stages.rows("SELECT profile_id FROM customer_profile WHERE held") == [(large,)]
    again = stages.review("split")
    assert told(stages, "split") == ["pending", "rejected", "revoked", "pending"]
    assert [set(p) for p in review_of(stages, again).parts] == [
        set(p) for p in review_of(stages, review).parts
    ]
    stages.answer(again, Answer.APPROVED)
    assert home_of(stages, 1) != home_of(stages, 2)


def test_an_approved_split_taken_back_leaves_the_parts_to_evidence(stages: StagesOnPostgres) -> None:
    stages.answer(proposal(stages), Answer.APPROVED)
    stands = stages.profiles()
    done = stages.revoke(word(stages))
    assert (done.moves, stages.profiles()) == ((), stands)
    assert told(stages, "split") == ["pending", "approved", "revoked"]
    # and now evidence may bring them together
    stages.send(event(8, {"cookie_id": "c-2", "device_id": "d-1"}))
    stages.send(
        event(9, {**TILL, "device_id": "d-1"}, traits={"first_name": "Anna", "last_name": "Kowalski"})
    )
    assert home_of(stages, 1) == home_of(stages, 2)


def test_an_answer_of_several_constraints_is_taken_back_as_a_whole(stages: StagesOnPostgres) -> None:
    review = proposal(stages, 20, 21, 22)
    stages.answer(review, Answer.APPROVED)
    said = words(stages)
    assert len(said) == 3
    assert {one.review_kind for one in said} == {"split"}
    done = stages.revoke(said[1].constraint_id)
    assert set(done.constraint_ids) == {one.constraint_id for one in said}
    assert words(stages) == []
    (entry,) = stages.rows("SELECT details FROM steward_action WHERE act = 'revoke'")
    assert set(entry[0]["constraint_ids"]) == {str(one.constraint_id) for one in said}
    for one in said:
        with pytest.raises(Conflict, match="was revoked before, by steward"):
            stages.revoke(one.constraint_id)


# ── rollbacks, splits, merges by hand ─────────────────────────────────────────────────────────────────────────────────


def test_a_rollback_taken_back_lets_the_merge_stand_again(stages: StagesOnPostgres) -> None:
    first, _ = chain(stages)
    kept = home_of(stages, 1)
    stands = stages.profiles()
    source = stages.rollback(first).merges[0].restored
    assert home_of(stages, 2) == source != kept
    done = stages.revoke(word(stages), "they are one after all")
    assert stages.profiles() == stands
    assert home_of(stages, 2) == kept
    (again,) = done.merge_log_ids
    assert stages.rows(
        "SELECT kind, source_profile, target_profile, actor, reason, rolled_back, confidence_score > 0.8 "
        "FROM identity_merge_log WHERE merge_log_id = %s",
        again,
    ) == [("merged", source, kept, "steward", "they are one after all", False, True)]
    # the first merge stays undone, the second one is undone like any other
    with pytest.raises(Conflict, match="was rolled back before"):
        stages.rollback(first)
    assert stages.rollback(again).merges[0].restored == source == home_of(stages, 2)
    assert len(words(stages, revoked=None)) == 2


def test_records_that_were_taken_out_come_back(stages: StagesOnPostgres) -> None:
    chain(stages)
    kept, stands = home_of(stages, 1), stages.profiles()
    asked = Asked("ann", "not theirs", datetime.now(UTC))
    take_out(stages.stewardship(), kept, [record(stages, 2), record(stages, 4)], [], asked)
    assert stages.profiles() != stands
    stages.revoke(word(stages))
    assert stages.profiles() == stands
    assert home_of(stages, 2) == kept


@pytest.mark.parametrize("number", [2, 3])
def test_who_was_joined_comes_apart_under_the_old_ids(stages: StagesOnPostgres, number: int) -> None:
    profiles = strangers(stages)[:number]
    before = customers(stages)
    join(stages, *profiles)
    stages.send(event(4, {"phone": "+14155550101", "cookie_id": "c-1"}))
    done = stages.revoke(word(stages))
    assert {m.destination for m in done.moves} == {Destination.RESTORED}
    assert home_of(stages, 4) == home_of(stages, 2) == profiles[1]
    (left,) = set(stages.rows("SELECT record_id FROM event")) - {
        (r,)
        for _, _, _, _, _, _, _, records, _ in before
        for r in records  # type: ignore[attr-defined]
    }
    assert left == (record(stages, 4),)
    assert [row[:3] for row in customers(stages)] == [row[:3] for row in before]


def test_a_must_link_stands_again_once_what_outweighs_it_is_revoked(stages: StagesOnPostgres) -> None:
    (merge,) = stages.answer(doubt(stages), Answer.APPROVED).merge_log_ids
    source = stages.rollback(merge).merges[0].restored
    cannot, must = words(stages)
    assert (cannot.kind, must.kind) == ("cannot_link", "must_link")
    # the weaker word alone changes nothing, and nobody is asked while the stronger one stands
    done = stages.revoke(must.constraint_id, "rehearsed", rehearse=True)
    assert (done.moves, done.asked) == ((), 0)
    stages.revoke(cannot.constraint_id)
    assert stages.profiles() == {frozenset({"001", "002"})}
    stages.revoke(must.constraint_id)
    assert (home_of(stages, 2), stages.profiles()) == (source, {frozenset({"001"}), frozenset({"002"})})
    assert stages.review()


def test_of_two_words_alike_the_other_one_stands(stages: StagesOnPostgres) -> None:
    one, two, _ = strangers(stages)
    join(stages, one, two)
    said = word(stages)
    stages.rows(
        "INSERT INTO identity_constraint (constraint_id, kind, left_records, right_records, actor, reason, created_at) "
        "SELECT %s, kind, left_records, right_records, 'ben', 'I too', now() FROM identity_constraint RETURNING 1",
        new_id(),
    )
    assert stages.revoke(said).moves == ()
    assert home_of(stages, 1) == home_of(stages, 2)
    stages.revoke(word(stages))
    assert home_of(stages, 1) != home_of(stages, 2)


def test_a_held_profile_stays_whole_and_the_question_is_another_one(stages: StagesOnPostgres) -> None:
    """Of a customer that waits for an answer nothing comes apart unasked, what was joined to it by hand included."""
    stages.send(named(1, PEOPLE[0]), event(30, PHONE))
    join(stages, home_of(stages, 1), home_of(stages, 30))
    stages.send(event(2, {**TILL, "cookie_id": "c-2"}))
    for number, name in enumerate(PEOPLE[1:], start=3):
        stages.send(named(number, name))
    assert len(review_of(stages, stages.review("split")).parts) == 2
    done = stages.revoke(word(stages))
    assert (done.moves, done.asked, done.retired) == ((), 1, 1)
    assert len(review_of(stages, stages.review("split")).parts) == 3
    assert home_of(stages, 1) == home_of(stages, 2) == home_of(stages, 30)
    stages.answer(stages.review("split"), Answer.APPROVED)
    assert len({home_of(stages, n) for n in (1, 2, 30)}) == 3


# ── how it is asked for ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rehearsal_tells_what_is_done_then(stages: StagesOnPostgres) -> None:
    stages.answer(doubt(stages), Answer.APPROVED)
    said, before = word(stages), all_of_it(stages)
    rehearsed = stages.revoke(said, rehearse=True)
    assert all_of_it(stages) == before
    assert (rehearsed.rehearsed, rehearsed.merge_log_ids) == (True, ())
    by, why = stages.stewardship(), Asked("ann", "sisters", NOW)
    stages.send(event(3, {"loyalty_id": "L-2002", "cookie_id": "c-1"}, traits=ANNA))
    before = all_of_it(stages)
    with pytest.raises(Conflict, match="no longer what plan"):
        revoke_constraint(by, said, replace(why, plan=rehearsed.plan))
    assert all_of_it(stages) == before
    plan = revoke_constraint(by, said, replace(why, rehearse=True)).plan
    done = revoke_constraint(by, said, replace(why, plan=plan))
    assert (done.plan, done.rehearsed, len(done.moves[0].records)) == (plan, False, 2)
    (entry,) = stages.rows(
        "SELECT actor, reason, merge_log_ids, review_id, profiles FROM steward_action WHERE act = 'revoke'"
    )
    assert entry[:4] == ("ann", "sisters", list(done.merge_log_ids), done.review_id)
    assert set(entry[4]) == {home_of(stages, 1), home_of(stages, 2)}


def test_what_cannot_be_revoked_is_told_and_changes_nothing(stages: StagesOnPostgres) -> None:
    stages.answer(doubt(stages), Answer.REJECTED)
    said = word(stages)
    by, why = stages.stewardship(), Asked("ann", "sisters", NOW)
    with stages.database.transaction() as tx:
        etag = read_constraint(tx, said).etag
    before = all_of_it(stages)
    with pytest.raises(NotFound, match="no constraint"):
        revoke_constraint(by, new_id(), why)
    with pytest.raises(BadInput, match="say why"):
        revoke_constraint(by, said, replace(why, reason=" "))
    with pytest.raises(PreconditionFailed, match=f"constraint {said} is not as it was"):
        revoke_constraint(by, said, why, seen=frozenset(('"another"',)))
    assert all_of_it(stages) == before
    revoke_constraint(by, said, why, seen=frozenset((etag,)))
    before = all_of_it(stages)
    with pytest.raises(PreconditionFailed):
        revoke_constraint(by, said, why, seen=frozenset((etag,)))
    with pytest.raises(Conflict, match="was revoked before, by ann on 2026-02-01"):
        revoke_constraint(by, said, why)
    assert all_of_it(stages) == before


def test_a_record_that_cannot_be_read_any_more_stays_where_it_is(stages: StagesOnPostgres) -> None:
    one, two, _ = strangers(stages)
    join(stages, one, two)
    gone = record(stages, 11)
    with stages.database.transaction() as tx:
        tx.connection.execute("DELETE FROM data_key WHERE owner_id = %s", (gone,))
    stages.revoke(word(stages))
    assert (home_of(stages, 1), home_of(stages, 11), home_of(stages, 2)) == (one, one, two)


def test_the_version_of_a_profile_that_is_gone_is_told_as_none(stages: StagesOnPostgres) -> None:
    """As after a replay by which nothing names a customer any more."""
    stages.answer(doubt(stages), Answer.REJECTED)
    gone = new_id()
    stages.rows("UPDATE review_queue SET high_profile = %s WHERE status = 'rejected' RETURNING 1", gone)
    stages.revoke(word(stages))
    (message,) = [m for m in stages.outbox("identity.reviews") if m["status"] == "revoked"]
    assert (message["other_profile_id"], message["other_profile_version"]) == (str(gone), 0)


def test_a_merge_made_by_hand_and_taken_back_can_be_made_again(stages: StagesOnPostgres) -> None:
    one, two, _ = strangers(stages)
    join(stages, one, two)
    stages.revoke(word(stages))
    with pytest.raises(Conflict, match="no longer stand together"):
        stages.rollback(merges(stages)[0])
    join(stages, one, two)
    assert home_of(stages, 2) == one
    stages.send(event(5, MAIL), event(6, PHONE))
    assert home_of(stages, 6) == one

"""A decision is explained by the model and policy that made it, whatever decides today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipeline.codes import ReasonCode
from pipeline.errors import BadInput, NotFound
from pipeline.explain.report import PairReport, as_data
from pipeline.explain.service import Explainer, revealed
from pipeline.explain.text import WIDTH, told
from pipeline.identity.explain.explanation import Origin, StepKind, Verdict
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.resolve_stage import ResolveStage
from tests.support.people import model, policy, ring
from tests.support.pipeline import StagesOnPostgres, event

ANNA = {"first_name": "Anna", "last_name": "Kowalski", "date_of_birth": "1980-01-02"}
HOME = {"address": "1304 Poppy Hills Dr, Blacklick OH 43004"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database)
    yield opened
    opened.close()


def explainer(stages: StagesOnPostgres) -> Explainer:
    return Explainer(stages.database, ring())


def record_of(stages: StagesOnPostgres, number: int) -> Id:
    ((found,),) = stages.rows("SELECT record_id FROM event WHERE event_id::text LIKE %s", f"%{number:012d}")
    assert isinstance(found, Id)
    return found


def profile_of(stages: StagesOnPostgres, number: int) -> Id:
    ((found,),) = stages.rows(
        "SELECT profile_id FROM identity_record WHERE record_id = %s", record_of(stages, number)
    )
    assert isinstance(found, Id)
    return found


def another_model(stages: StagesOnPostgres) -> None:
    """From now on another model decides, and a policy with other thresholds."""
    later = replace(model(), version="later", prior=model().prior + 1)
    laxer = replace(policy(), version="laxer", auto_merge=0.75)
    stages.resolve = ResolveStage(stages.settings, stages.database, ring(), stages.codec, later, laxer)


def merged(stages: StagesOnPostgres) -> tuple[Id, Id]:
    """Two profiles, of which the second was merged into the first."""
    stages.send(event(1, {"email": "anna@mailbox.net"}, traits=ANNA))
    stages.send(event(2, {"phone": "+14155550101"}))
    older, younger = profile_of(stages, 1), profile_of(stages, 2)
    stages.send(event(3, {"email": "anna@mailbox.net", "phone": "+1 415 555 0101"}, traits=ANNA))
    return older, younger


def test_stored_weights_are_computed_again_to_the_last_bit(stages: StagesOnPostgres) -> None:
    merged(stages)
    stages.send(event(4, {"cookie_id": "c-1"}, traits={**ANNA, **HOME, "first_name": "Ania"}))
    stages.send(event(5, {"loyalty_id": "L-1", "email": "info@mailbox.net"}, traits={**ANNA, **HOME}))
    another_model(stages)
    stages.send(event(6, {"loyalty_id": "L-2", "email": "info@mailbox.net"}, traits={**ANNA, **HOME}))
    rows = stages.rows("SELECT low, high, weight, model_version FROM identity_evidence")
    assert {version for *_, version in rows} == {model().version, "later"}
    for low, high, weight, version in rows:
        report = explainer(stages).pair(low, high)
        assert report.explanation.best.origin is Origin.CONFIRMED
        assert report.explanation.best.weight == weight
        assert report.explanation.best.model_version == version


def test_a_merge_is_told_by_its_own_versions_after_a_new_model_and_a_rollback(
    stages: StagesOnPostgres,
) -> None:
    older, younger = merged(stages)
    another_model(stages)
    stages.send(event(4, {"phone": "+14155550101", "cookie_id": "c-1"}))
    before = explainer(stages).pair(older, younger)
    assert before.decided_by == "merge_log"
    assert before.explanation.best.model_version == model().version
    assert before.explanation.auto_merge == policy().auto_merge
    assert before.explanation.verdict is Verdict.MERGE
    assert before.chain
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log WHERE kind = 'merged'")
    stages.rollback(merge, "two people share a phone")
    after = explainer(stages).pair(older, younger)
    assert (after.explanation.verdict, after.explanation.reason) == (Verdict.APART, ReasonCode.CANNOT_LINK)
    assert after.explanation.best.model_version == model().version
    assert [step.kind for step in after.decisions] == [StepKind.MERGED, StepKind.ROLLED_BACK]
    assert after.decisions[0].model_version == model().version
    assert after.decisions[0].undone
    text = told(after)
    assert "the cannot-link between them were revoked" in text
    assert "two people share a phone" in text


def test_the_story_of_a_profile_is_told_in_order(stages: StagesOnPostgres) -> None:
    older, younger = merged(stages)
    another_model(stages)
    stages.send(event(4, {"email": "anna@mailbox.net", "cookie_id": "c-1"}, traits=ANNA))
    report = explainer(stages).profile(older)
    kinds = [step.kind for step in report.story]
    arrived = [step.records[0] for step in report.story if step.kind is not StepKind.MERGED]
    assert kinds == [StepKind.CREATED, StepKind.CREATED, StepKind.LINKED, StepKind.MERGED, StepKind.LINKED]
    assert arrived == [record_of(stages, n) for n in (1, 2, 3, 4)]
    merge = report.story[3]
    assert (merge.source, merge.target, merge.model_version) == (younger, older, model().version)
    assert merge.evidence
    assert report.story[4].model_version == "later"
    assert len(report.tree.links) == 3
    assert len(report.tree.groups) == 1
    assert report.tree.weakest is not None
    assert report.weakest is not None
    # one asks by the id that was merged away, or by a record, and is told of the same profile
    for asked in (younger, record_of(stages, 4)):
        assert explainer(stages).profile(asked).story == report.story


def test_two_that_were_never_compared_are_compared_by_what_was_in_force(stages: StagesOnPostgres) -> None:
    stages.send(event(1, {"email": "anna@mailbox.net"}, traits=ANNA))
    stages.send(event(2, {"email": "bert@else.org"}, traits={"first_name": "Bert", "last_name": "Smith"}))
    another_model(stages)
    stages.send(event(3, {"phone": "+14155550101"}))
    early = explainer(stages).pair(profile_of(stages, 1), profile_of(stages, 2))
    late = explainer(stages).pair(profile_of(stages, 1), profile_of(stages, 3))
    assert (early.decided_by, early.explanation.best.model_version) == ("in_force", model().version)
    assert (late.decided_by, late.explanation.best.model_version) == ("in_force", "later")
    assert early.explanation.best.origin is Origin.COMPUTED
    assert early.explanation.reason is ReasonCode.SCORE_BELOW_REVIEW
    assert not early.was_compared
    assert "share no match key" in told(early)


def test_a_veto_is_named_and_what_would_lift_it(stages: StagesOnPostgres) -> None:
    stages.send(event(1, {"loyalty_id": "L-1001", "email": "anna@mailbox.net"}, traits=ANNA))
    stages.send(event(2, {"loyalty_id": "L-2002", "email": "anna@mailbox.net"}, traits=ANNA))
    report = explainer(stages).pair(profile_of(stages, 1), profile_of(stages, 2))
    assert report.decided_by == "review"
    assert report.explanation.verdict is Verdict.REVIEW
    assert report.explanation.best.veto is ReasonCode.VETO_EXCLUSIVE_IDENTIFIER
    assert "if\n        the loyalty id were not known" in told(report)


def test_values_are_masked_unless_asked_for(stages: StagesOnPostgres) -> None:
    older, younger = merged(stages)
    for report in (explainer(stages).pair(older, younger), explainer(stages).profile(older)):
        shown = told(report) + str(as_data(report))
        for secret in ("anna@", "mailbox", "5550101", "kowalski", "1980-01"):
            assert secret not in shown.lower()
        assert max(map(len, told(report).splitlines())) <= WIDTH
    open_ = Explainer(stages.database, ring(), revealed).pair(record_of(stages, 1), record_of(stages, 3))
    assert "anna@mailbox.net" in told(open_)


def test_what_cannot_be_explained_is_refused_by_name(stages: StagesOnPostgres) -> None:
    older, _ = merged(stages)
    with pytest.raises(NotFound, match="neither an identity record nor a profile"):
        explainer(stages).pair(older, new_id())
    with pytest.raises(BadInput, match="the same"):
        explainer(stages).pair(older, older)
    stages.send(event(9, {"cookie_id": "alone"}))
    alone = explainer(stages).profile(profile_of(stages, 9))
    assert (alone.tree.links, alone.weakest) == ((), None)
    with pytest.raises(BadInput, match="consists of the other"):
        explainer(stages).pair(profile_of(stages, 9), record_of(stages, 9))


def test_a_record_is_explained_against_the_rest_of_its_profile(stages: StagesOnPostgres) -> None:
    older, _ = merged(stages)
    report: PairReport = explainer(stages).pair(record_of(stages, 3), older)
    assert report.right.records == tuple(sorted((record_of(stages, 1), record_of(stages, 2))))
    assert report.explanation.verdict is Verdict.MERGE

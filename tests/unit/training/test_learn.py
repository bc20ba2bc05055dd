"""Learning a model: the outcome depends on records and seed alone, and the file says all of it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from pipeline.configuration import load_model
from pipeline.identity.training.names import BORNE_BY
from pipeline.settings import Settings
from pipeline.training.learn import Learnt, learn, sample
from tests.support.crowd import UNHEARD_OF, Crowd, crowd
from tests.support.ids import numbered
from tests.support.people import model, policy


@pytest.fixture(scope="module")
def people() -> Crowd:
    return crowd(300)


@pytest.fixture(scope="module")
def learnt(people: Crowd) -> Learnt:
    return learn(people.records, model(), policy(), sampled=5_000)


def test_the_order_of_the_records_makes_no_difference(people: Crowd, learnt: Learnt) -> None:
    ids = list(people.records)
    Random(5).shuffle(ids)
    again = learn({r: people.records[r] for r in ids}, model(), policy(), sampled=5_000)
    assert again.text == learnt.text
    assert again.model.version == learnt.model.version


def test_another_seed_draws_other_strangers(people: Crowd, learnt: Learnt) -> None:
    other = learn(people.records, model(), policy(), seed=2, sampled=5_000)
    assert other.model.version != learnt.model.version
    assert other.model.prior == pytest.approx(learnt.model.prior, abs=0.5)


def test_the_file_gives_the_same_model(learnt: Learnt, tmp_path: Path) -> None:
    file = tmp_path / "trained.json"
    file.write_text(learnt.text, "utf-8")
    loaded = load_model(Settings(model_file=file))
    assert loaded.version == learnt.model.version
    assert loaded.version.startswith("trained-")
    assert (loaded.prior, loaded.household_prior) == (learnt.model.prior, learnt.model.household_prior)
    assert loaded.levels == learnt.model.levels
    assert loaded.given_names == learnt.model.given_names
    assert loaded.surnames == learnt.model.surnames


def test_it_finds_the_pairs_that_are_there(learnt: Learnt) -> None:
    assert learnt.matches == pytest.approx(300, rel=0.05)
    assert learnt.is_enough
    assert learnt.model.levels != model().levels


def test_what_few_bear_is_not_in_the_file(people: Crowd, learnt: Learnt) -> None:
    counted: dict[str, int] = {}
    for record, _ in people.records.values():
        for name in record.traits.values():
            counted[name] = counted.get(name, 0) + 1
    names = json.loads(learnt.text)["names"]
    listed = {*names["given_names"]["per_100_000"], *names["surnames"]["per_100_000"]}
    shipped = {*model().given_names.bits, *model().surnames.bits}
    assert {name.lower() for name in UNHEARD_OF} <= listed - shipped
    assert all(counted[name] >= BORNE_BY for name in listed - shipped)
    assert not any(word in learnt.text for word in ("+1415", "example.com", " road"))


def test_few_records_leave_the_model_close_to_the_start() -> None:
    few = crowd(3)
    found = learn(few.records, model(), policy())
    assert not found.is_enough
    for attribute, levels in model().levels.items():
        for name, level in levels.items():
            assert found.model.levels[attribute][name].weight == pytest.approx(level.weight, abs=1.0), (
                attribute,
                name,
            )


def test_no_record_at_all_is_no_error() -> None:
    found = learn({}, model(), policy())
    assert (len(found.seen.sides), found.compared, found.matches) == (0, 0, 0.0)
    assert found.model.prior == pytest.approx(model().prior, abs=1e-5)


def test_a_sample_is_of_two_records_each_the_lower_first() -> None:
    ids = sorted(map(numbered, range(50)))
    drawn = sample(ids, 200, seed=3)
    assert len(drawn) == 200
    assert all(low < high for low, high in drawn)
    assert drawn == sample(ids, 200, seed=3) != sample(ids, 200, seed=4)


def test_where_there_are_no_more_pairs_all_are_taken() -> None:
    ids = sorted(map(numbered, range(5)))
    assert len(set(sample(ids, 10, seed=1))) == 10

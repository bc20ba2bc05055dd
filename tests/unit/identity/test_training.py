"""Rates and priors by EM, from pairs whose sorts are known because they were drawn so."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from pipeline.identity.compare import levels, side
from pipeline.identity.model import Constraint, ConstraintKind
from pipeline.identity.score import NameStatistics
from pipeline.identity.training.em import SCALED, Fit, Observed, chances, fit
from pipeline.identity.training.labels import Label, Labels, Told, by_pattern, entities, labels
from pipeline.identity.training.names import BORNE_BY, statistics
from pipeline.identity.training.patterns import NAMES, Pattern, Patterns, count, pattern
from pipeline.identity.training.patterns import shown as seen_in
from tests.support.ids import numbered
from tests.support.people import model, person, policy

ATTRIBUTES = ("given_name", "date_of_birth", "address", "gender", "email")
"""Attributes that no rule discounts for one another."""

RARITY = 10.0  # bits, of every given name

RATE = {"one": 0, "strangers": 1, "household": 2}


def is_by_rarity(attribute: str, level: str) -> bool:
    return attribute in NAMES and level in SCALED


def rate_of(sort: str, attribute: str, level: str) -> float:
    rate = model().rates[attribute][level][RATE[sort]]
    return rate * 2.0**-RARITY if sort == "strangers" and is_by_rarity(attribute, level) else rate


def drawn(sort: str, pairs: int, seed: int, changed: dict[str, dict[str, float]] | None = None) -> Patterns:
    """Patterns of pairs of a sort by the shipped rates, those of one attribute or more replaced."""
    draw, found = Random(seed), Counter[Pattern]()
    for _ in range(pairs):
        reached = []
        for attribute in ATTRIBUTES:
            rates = (changed or {}).get(attribute) or {
                name: rate_of(sort, attribute, name) for name in model().rates[attribute]
            }
            reached.append((attribute, draw.choices(list(rates), list(rates.values()))[0]))
        found[Pattern(tuple(reached), 2 * int(RARITY) if is_by_rarity(*reached[0]) else 0)] += 1
    return found


def mixed(one: int, household: int, changed: dict[str, dict[str, float]] | None = None) -> Observed:
    """Candidates of so many pairs of one person and of one household and 3,000 of strangers, of 4,000,000 pairs."""
    candidates = Counter(drawn("one", one, 1, changed))
    candidates.update(drawn("household", household, 2))
    candidates.update(drawn("strangers", 3_000, 3))
    return Observed(candidates, drawn("strangers", 20_000, 4), 20_000, 4_000_000)


def test_em_finds_the_rates_that_pairs_were_drawn_by() -> None:
    births = {"exact": 0.6, "digit": 0.25, "near": 0.1, "different": 0.05}
    found = fit(mixed(20_000, 500, {"date_of_birth": births}), model())
    assert found.matches == pytest.approx(20_000, rel=0.02)
    learnt = found.model.rates["date_of_birth"]
    # the model at the start counts as a thousand matches more
    for level, share in births.items():
        expected = (20_000 * share + 1_000 * model().rates["date_of_birth"][level].m) / 21_000
        assert learnt[level].m == pytest.approx(expected, abs=0.01), level
    assert sum(r.m for r in learnt.values()) == pytest.approx(1.0)


def test_u_comes_from_pairs_drawn_at_random() -> None:
    seen = mixed(500, 0)
    other = drawn("strangers", 20_000, 5, {"gender": {"exact": 0.9, "different": 0.1}})
    found = fit(Observed(seen.candidates, other, 20_000, seen.pairs), model())
    assert found.model.rates["gender"]["exact"].u == pytest.approx(0.9, abs=0.01)
    assert found.model.rates["gender"]["exact"].h == model().rates["gender"]["exact"].h


def test_the_prior_is_the_share_of_one_person_among_all_pairs() -> None:
    few, many = fit(mixed(200, 0), model()), fit(mixed(8_000, 0), model())
    assert many.model.prior - few.model.prior == pytest.approx(5.3, abs=0.8)  # forty times as many


def test_without_households_the_odds_against_them_grow_and_with_many_they_fall() -> None:
    none, few, many = (fit(mixed(4_000, n), model()) for n in (0, 1_200, 12_000))
    assert none.model.household_prior > model().household_prior + 2
    assert none.model.household_prior > few.model.household_prior > many.model.household_prior
    assert none.household_pairs < few.household_pairs < many.household_pairs < 12_000


def test_few_pairs_leave_the_model_close_to_the_start() -> None:
    found = fit(Observed(drawn("one", 5, 1), {}, 0, 10), model()).model
    for attribute in ATTRIBUTES:
        for level, before in model().levels[attribute].items():
            assert found.levels[attribute][level].weight == pytest.approx(before.weight, abs=0.7)
    assert found.rates["surname"] == model().rates["surname"], "nothing was seen of it"


def test_a_level_that_nobody_reached_keeps_its_weight() -> None:
    births = {"exact": 0.9, "different": 0.1}
    seen = mixed(2_000, 0, {"date_of_birth": births})
    strangers = drawn("strangers", 20_000, 6, {"date_of_birth": {"different": 0.9, "exact": 0.1}})
    candidates = {p: n for p, n in seen.candidates.items() if dict(p.levels)["date_of_birth"] in births}
    found = fit(Observed(candidates, strangers, 20_000, seen.pairs), model()).model
    for level, before in model().levels["date_of_birth"].items():
        kept = found.levels["date_of_birth"][level].weight == pytest.approx(before.weight)
        assert kept is (level not in births), level


def test_nothing_seen_is_the_start() -> None:
    found = fit(Observed({}, {}, 0, 0), model())
    assert (found.matches, found.household_pairs) == (0.0, 0.0)
    assert found.model.prior == pytest.approx(model().prior)
    assert found.model.household_prior == pytest.approx(model().household_prior)
    assert found.model.rates == model().rates


def test_chances_sum_to_one_and_rise_with_the_odds() -> None:
    rising = [chances((odds, odds + 3))[0] for odds in range(-1200, 1200, 7)]
    assert rising == sorted(rising)
    assert (rising[0], rising[-1]) == (pytest.approx(0.0), pytest.approx(1.0))
    for odds in ((0.0, 0.0), (-900.0, 900.0), (3.0, -2.0)):
        assert sum(chances(odds)) == pytest.approx(1.0)


# ── labels ─────────────────────────────────────────────────────────────────────────────────────────────────────────

DOUBTFUL = Pattern((("date_of_birth", "different"), ("address", "exact"), ("email", "exact")), 0)


def with_labels(told: Told) -> Fit:
    seen = mixed(2_000, 0)
    candidates = {**seen.candidates, DOUBTFUL: 1_500.0}
    given = {DOUBTFUL: told} if told.one or told.two else {}
    return fit(Observed(candidates, seen.random, seen.sampled, seen.pairs, given), model())


def test_labels_that_contradict_em_move_m_and_the_prior_their_way() -> None:
    said_one, unsaid, said_two = (with_labels(t) for t in (Told(200, 0), Told(), Told(0, 200)))
    different = [f.model.rates["date_of_birth"]["different"].m for f in (said_one, unsaid, said_two)]
    priors = [f.model.prior for f in (said_one, unsaid, said_two)]
    assert different[0] > different[1] > different[2]
    assert priors[0] > priors[1] > priors[2]
    assert said_one.matches == pytest.approx(2_000 + 1_500 + 200, rel=0.1)
    assert said_two.matches == pytest.approx(2_000, rel=0.05)


def test_one_label_is_a_word_and_two_hundred_are_a_verdict() -> None:
    unsaid, one, many = (with_labels(Told(0, n)).matches for n in (0, 1, 200))
    assert unsaid > one > many
    assert one - many > 0.5 * (unsaid - many)


def test_two_people_by_label_are_a_household_where_they_look_like_one() -> None:
    alike = Pattern((("given_name", "different"), ("surname", "exact"), ("address", "exact")), 16)
    found = fit(Observed({}, {}, 0, 1_000_000, {alike: Told(0, 300)}), model())
    assert found.household_pairs == pytest.approx(300, rel=0.05)
    assert found.matches == 0.0


def test_of_two_decisions_on_one_pair_the_first_counts_and_a_decision_counts_once() -> None:
    a, b, c, d = map(numbered, range(4))
    given = labels(
        [
            Constraint(ConstraintKind.CANNOT_LINK, frozenset((a, b)), frozenset((c,))),
            Constraint(ConstraintKind.MUST_LINK, frozenset((c,)), frozenset((a,))),
            Constraint(ConstraintKind.MUST_LINK, frozenset((d,)), frozenset((numbered(99),))),
        ],
        {a, b, c, d},
    )
    assert given == {(a, c): Label(False, 0.5), (b, c): Label(False, 0.5)}


def test_labels_are_told_by_pattern_and_apart_by_entity() -> None:
    people = [person({"email": f"{n}@example.com"}, first_name="Anna", last_name="Smith") for n in "abcde"]
    sides = {p.record_id: p.arrival.record for p in people}
    ids = sorted(sides)
    given: Labels = {
        (ids[0], ids[1]): Label(True, 1.0),
        (ids[1], ids[2]): Label(False, 1.0),
        (ids[3], ids[4]): Label(True, 0.5),
    }
    told = by_pattern(given, {r: side((sides[r],)) for r in ids}, model(), policy())
    assert sum(t.one for t in told.values()) == 1.5
    assert sum(t.two for t in told.values()) == 1.0
    assert entities(given) == [frozenset(ids[:3]), frozenset(ids[3:])]


# ── patterns and names ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pattern_weighs_what_the_comparison_weighed() -> None:
    one, other = (
        person({"phone": "+14155550101"}, first_name="Zbigniew", last_name=last, postcode="94107")
        for last in ("Kowalski", "Kowalsky")
    )
    a, b = (side((p.arrival.record,)) for p in (one, other))
    found = levels(a, b, model(), policy())
    shown = pattern(found, model())
    assert [(f.attribute, f.level) for f in found] == list(shown.levels)
    assert sum(f.weight for f in shown.weighed(model())) == pytest.approx(
        sum(f.weight for f in found), abs=0.25
    )
    sides = {one.record_id: a, other.record_id: b}
    pairs = [(one.record_id, other.record_id)] * 3
    assert count(seen_in(pairs, sides, model(), policy())) == {shown: 3}


def test_names_are_listed_where_enough_records_bear_them_and_rarer_ones_count_alike() -> None:
    start = NameStatistics({"anna": 7.0}, 12.0)
    names = ["quill"] * 400 + ["wren"] * (BORNE_BY - 1) + [f"rare{n}" for n in range(500)]
    found = statistics(names, start)
    assert set(found.bits) == {"anna", "quill"}
    assert found.rarity("quill") < 2.5
    assert found.rarity("wren") == found.rarity("nobody") == found.unlisted
    assert found.bits["anna"] > 7.0, "nobody here is called so"


def test_no_names_leave_the_statistics_as_they_are() -> None:
    start = NameStatistics({"anna": 7.0}, 12.0)
    found = statistics([], start)
    assert found.unlisted == pytest.approx(start.unlisted)
    assert found.bits == pytest.approx(start.bits)

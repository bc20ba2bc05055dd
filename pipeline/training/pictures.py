"""The charts of a training."""

from __future__ import annotations

from pipeline.charts.before_after import distribution
from pipeline.charts.reliability import reliability
from pipeline.charts.weights import AttributeBars, LevelBars, weights
from pipeline.explain import words
from pipeline.identity.score import Model
from pipeline.identity.training.em import SCALED
from pipeline.identity.training.patterns import NAMES
from pipeline.training.training import Training

COLUMNS = ("model at the start", "model learnt")


def drawn(found: Training) -> dict[str, str]:
    """The charts as SVG by name: `weights`, `scores`, and `reliability` where something judged the model."""
    pictures = {
        "weights": weights("Match weights", _bars(found)),
        "scores": distribution("Scores of the pairs compared", "confidence", found.scores, COLUMNS),
    }
    if found.bins:
        policy = found.seen.policy
        pictures["reliability"] = reliability(
            "Reliability", found.bins, (("review", policy.review), ("merge", policy.auto_merge))
        )
    return pictures


def seen_of(found: Training) -> dict[str, float]:
    """In how many compared pairs each attribute was given on both sides; those never seen are missing."""
    counts: dict[str, float] = {}
    for pattern, pairs in found.seen.candidates.items():
        for attribute, _ in pattern.levels:
            counts[attribute] = counts.get(attribute, 0.0) + pairs
    return {a: counts[a] for a in found.learnt.model.rates if a in counts}


def _bars(found: Training) -> list[AttributeBars]:
    now, before = found.learnt.model, found.seen.shipped
    return [
        AttributeBars(words.attribute(a), _remark(a, pairs, now), _levels(a, now, before))
        for a, pairs in seen_of(found).items()
    ]


def _levels(attribute: str, now: Model, before: Model) -> list[LevelBars]:
    bars = []
    for name, level in now.levels[attribute].items():
        start, more = before.levels[attribute][name], (0.0, 0.0)
        if attribute in NAMES and name in SCALED:
            more = _rarity(attribute, now), _rarity(attribute, before)
        said = words.level(attribute, name, both=True)
        bars.append(LevelBars(said, level.weight + more[0], level.household, start.weight + more[1]))
    return sorted(bars, key=lambda bar: -bar.strangers)


def _rarity(attribute: str, model: Model) -> float:
    return (model.given_names if attribute == "given_name" else model.surnames).unlisted


def _remark(attribute: str, pairs: float, model: Model) -> str:
    said = f"on both sides of {pairs:,.0f} pairs"
    if attribute in NAMES:
        said += (
            f"; agreement drawn for a rare name, {_rarity(attribute, model):.1f} bits: a common one says less"
        )
    return said

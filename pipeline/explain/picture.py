"""An explanation as a waterfall of match weights."""

from __future__ import annotations

from math import log10

from pipeline.charts.axes import told
from pipeline.charts.waterfall import Step, Threshold, waterfall
from pipeline.explain import words
from pipeline.identity.explain.explanation import SidesExplanation
from pipeline.identity.score import bits, confidence

_POWERS = ("", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion")


def drawn(found: SidesExplanation) -> str:
    """The evidence of the best pair as SVG, from the prior down to the sum, with the thresholds. Holds no value."""
    weighing = found.best
    steps = [
        Step(
            words.attribute(e.attribute),
            words.level(e.attribute, e.level, both=bool(e.left and e.right)),
            e.bits,
        )
        for e in weighing.attributes
    ]
    if abs(weighing.household) >= 0.005:
        steps.append(Step("household", "two of one household can look like this", weighing.household))
    return waterfall(
        f"Verdict: {words.VERDICT[found.verdict]}",
        f"{words.percent(weighing.confidence)} for one customer ({found.reason.replace('_', ' ')}). "
        f"Model {weighing.model_version}, policy {weighing.policy_version}.",
        Step("to begin with", "how seldom two records are one person", weighing.prior),
        steps,
        "sum",
        (
            Threshold("a steward is asked", bits(found.review)),
            Threshold("one customer", bits(found.auto_merge)),
        ),
        unit="bits: each doubles the odds",
        labels=lambda value: (told(value), _chance(value)),
    )


def _chance(value: float) -> str:
    """A tick as a chance: 1 in a thousand million is told as that many powers of ten."""
    if abs(value) < 6.5:
        return f"{confidence(value) * 100:.0f} %"
    power = abs(value) * log10(2.0)
    many = f"{10.0**power:,.0f}" if power < 5 else f"{10.0 ** (power % 3):.0f} {_POWERS[int(power // 3)]}"
    return f"1 in {many}" if value < 0 else f"{many} to 1"

"""What a simulation is told in, wherever people read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.codes import EXPLANATIONS
from pipeline.explain.words import attribute, level, percent
from pipeline.identity.difference import ChangeKind
from pipeline.whatif.example import Evidence, Example
from pipeline.whatif.outcome import Outcome

WORTH_SAYING = 0.005  # bits
_PATHS_SHOWN = 4

HEADINGS = {
    ChangeKind.MERGE: "Customers that would become one",
    ChangeKind.SPLIT: "Customers that would be split",
    ChangeKind.MIXED: "Customers whose records would move",
}

FORMULA = (
    "Nobody knows the truth here, so it is estimated from the confidence scores themselves. The expected number of "
    "true pairs in a set of pairs is the sum of their chances: a pair's confidence score, or 1 and 0 where a steward "
    "decided. A pair within a customer counts by its best chain of chances, multiplied: A and C, who have nothing in "
    "common, are as likely one person as A is B and B is C. Precision is the expected true pairs among those put "
    "together, divided by the pairs put together; recall divides them by the expected true pairs among all pairs that "
    "are put together or were compared."
)
LIMITS = (
    "A model judges itself kindly: compare now and then by one model, not two models. The estimate is as good as the "
    "model's calibration; pairs that blocking never brought together are missing from recall; chances on a chain are "
    "taken to be independent. What stewards decided is real, but they were asked about doubtful pairs only, and it is "
    "compared with what either configuration would have decided without them."
)


def headline(outcome: Outcome) -> str:
    """The outcome in one sentence."""
    found = outcome.simulation
    if not found.changes:
        return "Nothing would change: every customer stays as it is."
    merges, splits, moves = (found.of_kind(kind) for kind in ChangeKind)
    parts = []
    if merges:
        parts.append(f"{_counted(sum(len(c.before) for c in merges))} would become {len(merges):,}")
    if splits:
        into = sum(len(c.after) for c in splits)
        parts.append(f"{_counted(len(splits))} would be split into {into:,}")
    if moves:
        parts.append(f"{_counted(sum(len(c.before) for c in moves))} would exchange records")
    share = found.touched() / len(found.before)
    return f"{'; '.join(parts)}. That touches {percent(share)} of today's {_counted(len(found.before))}."


def _counted(customers: int) -> str:
    return f"{customers:,} customer{'' if customers == 1 else 's'}"


def notes(outcome: Outcome) -> list[str]:
    """What has to be known to read the outcome rightly."""
    found, source = outcome.simulation, outcome.source
    told = []
    if unseen := [s.path for s in outcome.settings if not s.is_simulated]:
        told.append(
            f"{_listed(unseen)} work when an event is normalized. The records here were made without, so nothing "
            "below shows it."
        )
    if found.drift:
        told.append(
            f"{_counted(found.drift)} stand otherwise than the active configuration would have them today: other "
            "versions decided, or more became known. What is listed below is against what stands."
        )
    if source.left_out:
        told.append(f"Left out: {source.left_out:,} whose key is gone, or who name nobody.")
    return told


class Line(NamedTuple):
    """One attribute of the deciding pair, or the prior, the household or the sum, in bits by either configuration."""

    name: str
    remark: str
    active: float
    other: float


def compared(evidence: Evidence) -> list[Line]:
    """The evidence line by line: what both begin with, each attribute that counts for either, and the sums."""
    now, then = evidence.active, evidence.other
    lines = [Line("to begin with", "", now.prior, then.prior)]
    after = {e.attribute: e for e in then.attributes}
    for one in now.attributes:
        other = after[one.attribute]
        if one.level is None and other.level is None:
            continue
        both = bool(one.left and one.right)
        remarks = (level(e.attribute, e.level, both=both) for e in (one, other))
        lines.append(Line(attribute(one.attribute), " → ".join(dict.fromkeys(remarks)), one.bits, other.bits))
    if min(now.household, then.household) < -WORTH_SAYING:
        lines.append(Line("household", "two of one household", now.household, then.household))
    lines.append(Line("sum", "", now.weight, then.weight))
    return lines


def value(setting: object) -> str:
    """A setting's value as it is read."""
    if setting is None:
        return "not there"
    return f"{setting:g}" if isinstance(setting, float) else str(setting)


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - _PATHS_SHOWN
    return ", ".join(paths[:_PATHS_SHOWN]) + (f" and {more} more settings that differ" if more > 0 else "")


def effect(example: Example) -> str:
    """What happens to the customers of an example."""
    before = " + ".join(str(customer.size) for customer in example.before)
    after = " + ".join(map(str, example.sizes_after))
    return f"{before} record{'' if before == '1' else 's'} → {after}"


def reason(example: Example, outcome: Outcome) -> str:
    """Why, by the evidence of the pair that decides."""
    evidence = example.evidence
    if evidence is None:
        return "It follows from a steward's constraint, or what stands was decided by other versions."
    now, then = percent(evidence.active.confidence), percent(evidence.other.confidence)
    chance = (
        f"{then} for one customer by either." if now == then else f"{now} for one customer now, {then} then."
    )
    return f"{chance} {_because(evidence, example, outcome)}".strip()


def _because(evidence: Evidence, example: Example, outcome: Outcome) -> str:
    runs = (outcome.simulation.active, outcome.simulation.other)
    now, then = (percent(run.by.policy.auto_merge) for run in runs)
    if example.kind is not ChangeKind.SPLIT:
        return "" if now == then else f"Records become one from {now} on now, from {then} on then."
    return "Not enough to ask a steward." if evidence.refusal is None else EXPLANATIONS[evidence.refusal]

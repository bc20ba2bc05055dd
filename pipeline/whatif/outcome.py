"""All that a simulation has to tell, and the same as data for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.explain.report import as_data
from pipeline.identity.difference import ChangeKind, Cluster
from pipeline.identity.estimate import Agreement, Estimate
from pipeline.identity.explain.explanation import Show
from pipeline.identity.explain.weighing import Configuration
from pipeline.progress import Progress, silent
from pipeline.whatif.example import Example, examples
from pipeline.whatif.settings_diff import Setting, differing
from pipeline.whatif.simulation import Simulation, simulate
from pipeline.whatif.source import Source


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was run over what, what came of it, and some of it to look at."""

    source: Source
    settings: tuple[Setting, ...]
    simulation: Simulation
    examples: Mapping[ChangeKind, Sequence[Example]]


def what_if(
    source: Source,
    active: Configuration,
    other: Configuration,
    show: Show,
    most_examples: int,
    progress: Progress = silent,
) -> Outcome:
    """Run the other configuration over the source's records; `show` makes of values what may be seen."""
    simulation = simulate(
        source.records, source.constraints, source.decisions, active, other, source.standing, progress
    )
    return Outcome(
        source, differing(active, other), simulation, examples(simulation, source.names, show, most_examples)
    )


def data(outcome: Outcome) -> dict[str, object]:
    """Everything: numbers, every change by ids, and the examples (the only place with values, as they were shown)."""
    simulation, source = outcome.simulation, outcome.source
    active, other = simulation.active.by, simulation.other.by
    return {
        "over": source.what,
        "records": len(simulation.records),
        "left_out": source.left_out,
        "active": {"model": active.model.version, "policy": active.policy.version},
        "other": {"model": other.model.version, "policy": other.policy.version},
        "settings": as_data(outcome.settings),
        "customers": {"before": len(simulation.before), "after": len(simulation.after)},
        "touched": simulation.touched(),
        "drift": simulation.drift,
        "reviews": as_data(simulation.queue),
        "estimates": [
            {"by": j.by, "before": _estimate(j.before), "after": _estimate(j.after)}
            for j in simulation.judged
        ],
        "stewards": {
            when: _agreement(found)
            for when, found in zip(("before", "after"), simulation.agreement, strict=True)
        },
        "changes": [
            {
                "kind": change.kind.value,
                "customers": [source.names.customer(members) for members in change.before],
                "before": _ids(change.before),
                "after": _ids(change.after),
            }
            for change in simulation.changes
        ],
        "examples": {kind.value: as_data(tuple(found)) for kind, found in outcome.examples.items()},
    }


def _ids(clusters: Sequence[Cluster]) -> list[list[str]]:
    return [[str(record) for record in sorted(members)] for members in clusters]


def _estimate(found: Estimate) -> dict[str, float]:
    return {
        "together": found.together,
        "true_together": round(found.true_together, 1),
        "true_apart": round(found.true_apart, 1),
        "precision": round(found.precision, 6),
        "recall": round(found.recall, 6),
        "f1": round(found.f1, 6),
    }


def _agreement(found: Agreement) -> dict[str, float]:
    low, high = found.interval()
    return {
        "decisions": found.decisions,
        "agreeing": found.agreeing,
        "low": round(low, 4),
        "high": round(high, 4),
    }

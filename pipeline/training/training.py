"""A training as a whole: what there is to learn from, what was learnt, and how far it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from pipeline.errors import BadInput
from pipeline.identity.calibration import Bin, at_least, reliability
from pipeline.identity.compare import adjusted, sums
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.scratch import KeyedRecords
from pipeline.identity.training import em
from pipeline.identity.training.labels import labels
from pipeline.mapping import Mapping_, RawRecord
from pipeline.privacy.keyring import KeyRing
from pipeline.progress import Progress
from pipeline.resolve_file import read_rows
from pipeline.store.database import Database
from pipeline.training import judge
from pipeline.training.learn import Learnt, Seen, learn_from, look
from pipeline.whatif.source import from_store as stored

_TRUTH = "truth"
"""What the column of the truth is called on its way past the matcher."""


class JudgedBy(StrEnum):
    """Where the answers come from that a model is judged by."""

    TRUTH = "truth"
    LABELS = "labels"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Material:
    """Records, what stewards decided on them, and the true entity of each where it is known."""

    what: str
    records: KeyedRecords
    decisions: Sequence[Constraint] = ()
    truth: Mapping[Id, str] | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """What was learnt, from what, and how far it holds. `bins` are empty where nothing judged it.

    `scores` counts the candidate pairs by confidence, by the model at the start and by the one learnt.
    """

    material: Material
    learnt: Learnt
    judged_by: JudgedBy
    bins: tuple[Bin, ...]
    scores: tuple[tuple[str, int, int], ...]

    @property
    def seen(self) -> Seen:
        """What was compared."""
        return self.learnt.seen

    def automatic(self) -> Bin:
        """The judged pairs that would be merged without asking."""
        return at_least(self.bins, self.seen.policy.auto_merge)


def from_store(database: Database, ring: KeyRing, progress: Progress) -> Material:
    """Everything stored, as of one instant. Raises StoreUnavailable, ConfigurationError."""
    source = stored(database, ring, progress)
    return Material(source.what, source.records, source.decisions)


def from_file(
    rows: Iterable[RawRecord], name: str, policy: Policy, region: str, *, told: bool, progress: Progress
) -> Material:
    """The rows of a file; `told` where `with_truth` made the mapping they were read by."""
    read = read_rows(rows, policy, region, progress=progress)
    entity = ((r, row.payload.get(_TRUTH, "")) for row, r in zip(read.rows, read.record_of, strict=True))
    return Material(f"the file {name}", read.content.records, truth=judge.single(entity) if told else None)


def with_truth(mapping: Mapping_, column: str) -> Mapping_:
    """The mapping that brings a column along beside the record, where no comparison sees it.

    Raises BadInput where the mapping has the matcher see it.
    """
    if column in mapping.columns():
        raise BadInput("--truth", f"the mapping reads {column}: what the matcher sees cannot judge it")
    return mapping.model_copy(update={"payload": {**mapping.payload, _TRUTH: column}})


def train(
    material: Material, start: Model, policy: Policy, seed: int, name: str, progress: Progress
) -> Training:
    """Learn and judge. Progress has the steps `compare`, `sample`, and `judge` where there is a truth."""
    given = labels(material.decisions, material.records.keys())
    seen = look(material.records, start, policy, seed, labels=given, progress=progress)
    learnt = learn_from(seen, {"seed": seed}, name)
    by, bins = JudgedBy.NOTHING, tuple[Bin, ...]()
    thresholds = (policy.review, policy.auto_merge)
    if material.truth is not None:
        judged = judge.by_truth(material.records, material.truth, start, policy, seed, progress)
        by, bins = JudgedBy.TRUTH, reliability(judged, thresholds)
    elif given:
        by, bins = JudgedBy.LABELS, reliability(judge.by_labels(seen, seed), thresholds)
    return Training(material, learnt, by, bins, _scores(learnt))


def _scores(learnt: Learnt) -> tuple[tuple[str, int, int], ...]:
    """How many candidates are of which confidence, names as common as they are among the records."""
    policy = learnt.seen.policy
    edges = sorted({0.01, policy.review, policy.auto_merge, 0.95, 0.99, 0.999})
    counts = [_counted(learnt.seen, model, edges) for model in (learnt.seen.start, learnt.model)]
    names = [
        f"< {edges[0] * 100:g} %",
        *(f"{a * 100:g}–{b * 100:g} %" for a, b in pairwise(edges)),
        f"≥ {edges[-1] * 100:g} %",
    ]
    return tuple(zip(names, *counts, strict=True))


def _counted(seen: Seen, model: Model, edges: Sequence[float]) -> list[int]:
    counts = [0.0] * (len(edges) + 1)
    for pattern, pairs in seen.candidates.items():
        one, _, _ = em.chances(sums(adjusted(pattern.weighed(model), model), model))
        counts[sum(one >= edge for edge in edges)] += pairs
    return [round(count) for count in counts]

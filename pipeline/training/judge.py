"""How far confidences hold on pairs a model was not fitted on: cross-fitting by entity (Chernozhukov et al. 2018).

With labels of stewards: their entities are dealt to folds, and each label is judged by a model that learnt without the
labels of its fold. With the truth of a file: its entities are dealt to two halves, and the candidate pairs of either
half are judged by a model that learnt from the other half's records.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping

from pipeline.identity import scratch
from pipeline.identity.calibration import Judged
from pipeline.identity.compare import compare, side
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.training.labels import entities
from pipeline.progress import Progress, silent, watched
from pipeline.training.learn import Seen, in_full, learn, learn_from

FOLDS = 5


def by_labels(seen: Seen, seed: int) -> Iterator[Judged]:
    """Every label, judged by a model that learnt neither from it nor from any label of its entity."""
    groups = entities(seen.labels)
    random.Random(seed).shuffle(groups)  # noqa: S311  # a split, not a secret
    for fold in range(min(FOLDS, len(groups))):
        held = frozenset().union(*groups[fold::FOLDS])
        out = {pair: label for pair, label in seen.labels.items() if pair[0] in held}
        model = learn_from(seen, {}, "fold", out.keys()).model
        for (low, high), label in out.items():
            found = compare(seen.sides[low], seen.sides[high], model, seen.policy)
            yield Judged(found.confidence, label.is_one, label.weight)


def by_truth(
    records: scratch.KeyedRecords,
    truth: Mapping[Id, str],
    start: Model,
    policy: Policy,
    seed: int,
    progress: Progress = silent,
) -> Iterator[Judged]:
    """The candidate pairs of either half of the entities. Records without truth are left out of both."""
    entity = sorted(set(truth.values()))
    random.Random(seed).shuffle(entity)  # noqa: S311  # a split, not a secret
    halves = (frozenset(entity[::2]), frozenset(entity[1::2]))
    parts = [{r: records[r] for r in sorted(truth) if truth[r] in half} for half in halves]
    for judged, other in (parts, parts[::-1]):
        model = learn(other, start, policy, seed).model
        kept = scratch.weighed(judged, policy)
        pairs = sorted(scratch.candidate_pairs(kept, in_full(policy)))
        sides = {r: side((record,)) for r, (record, _) in kept.items()}
        for low, high in watched(pairs, "judge", len(pairs), progress):
            found = compare(sides[low], sides[high], model, policy)
            yield Judged(found.confidence, truth[low] == truth[high])


def single(told: Iterable[tuple[Id | None, str]]) -> dict[Id, str]:
    """The truth of each record whose rows have one and the same; blank ones tell nothing."""
    found: dict[Id, str] = {}
    doubtful: set[Id] = set()
    for record, entity in told:
        if record is not None and entity and found.setdefault(record, entity) != entity:
            doubtful.add(record)
    return {r: entity for r, entity in found.items() if r not in doubtful}

"""What is measured of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from math import log2

from bench.matching.hindsight import ScoredPair, best_threshold, clusters_at
from bench.matching.stream import Prepared, Run
from bench.truth import Score, b_cubed, groups, pairs_found, pairwise

FIXED_PROBABILITY = 0.95
FIXED_WEIGHT = log2(FIXED_PROBABILITY / (1 - FIXED_PROBABILITY))


@dataclass(frozen=True, slots=True)
class Quality:
    """How well clusters agree with the truth."""

    pairs: Score
    b_cubed: Score

    @classmethod
    def of(cls, clusters: Mapping[int, Hashable], truth: Mapping[int, str]) -> Quality:
        """The quality of the clusters of a data set's rows."""
        return cls(pairwise(clusters, truth), b_cubed(clusters, truth))

    def numbers(self) -> dict[str, float]:
        """By name, for JSON."""
        return {
            "precision": self.pairs.precision,
            "recall": self.pairs.recall,
            "f1": self.pairs.f1,
            "b_cubed_precision": self.b_cubed.precision,
            "b_cubed_recall": self.b_cubed.recall,
            "b_cubed_f1": self.b_cubed.f1,
        }


@dataclass(frozen=True, slots=True)
class CoreResult:
    """What the core made of a data set. `depend_on_order`: the rows whose cluster is not the same in all runs."""

    quality: Quality
    blocking: float
    records: int
    comparisons_per_record: float
    rows_per_cpu_s: float
    reviews: int
    overfull: int
    depend_on_order: int

    @classmethod
    def of(cls, prepared: Prepared, runs: Sequence[Run]) -> CoreResult:
        """The first run is the one in the order of the file; it is the one that is scored."""
        first, truth = runs[0], prepared.data.truth
        seconds = prepared.cpu_s + first.cpu_s
        return cls(
            quality=Quality.of(first.clusters, truth),
            blocking=pairs_found(_row_pairs(prepared, first), truth),
            records=first.records,
            comparisons_per_record=first.comparisons / first.records if first.records else 0.0,
            rows_per_cpu_s=len(truth) / seconds if seconds else 0.0,
            reviews=first.reviews,
            overfull=first.overfull,
            depend_on_order=_unstable([groups(run.clusters) for run in runs]),
        )

    def numbers(self) -> dict[str, object]:
        """By name, for JSON."""
        return {
            **self.quality.numbers(),
            "blocking_recall": self.blocking,
            "records": self.records,
            "comparisons_per_record": self.comparisons_per_record,
            "rows_per_cpu_s": self.rows_per_cpu_s,
            "reviews": self.reviews,
            "overfull_keys": self.overfull,
            "rows_that_depend_on_order": self.depend_on_order,
        }


def _unstable(partitions: Sequence[frozenset[frozenset[int]]]) -> int:
    """How many rows are not in a cluster that every partition has."""
    common = frozenset.intersection(*partitions)
    return sum(len(members) for members in partitions[0] - common)


def _row_pairs(prepared: Prepared, run: Run) -> Iterator[tuple[int, int]]:
    """The pairs of rows that blocking brought together: those of one record, and of records that were compared."""
    rows = prepared.rows_of()
    same = chain.from_iterable(combinations(mine, 2) for mine in rows.values())
    return chain(same, chain.from_iterable(product(rows[low], rows[high]) for low, high in run.candidates))


@dataclass(frozen=True, slots=True)
class RivalResult:
    """What a batch tool's scores come to: at a fixed probability, and at the threshold that is best in hindsight."""

    fixed: Quality
    best: Quality
    best_weight: float
    rows_per_cpu_s: float
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, pairs: Sequence[ScoredPair], truth: Mapping[int, str], cpu_s: float, notes: Sequence[str]
    ) -> RivalResult:
        """Connected components of the pairs at either threshold."""
        best = best_threshold(pairs, truth)
        return cls(
            fixed=Quality.of(clusters_at(pairs, truth, FIXED_WEIGHT), truth),
            best=Quality.of(clusters_at(pairs, truth, best), truth),
            best_weight=best,
            rows_per_cpu_s=len(truth) / cpu_s if cpu_s else 0.0,
            notes=tuple(notes),
        )

    def numbers(self) -> dict[str, object]:
        """By name, for JSON. No threshold where no pair helps."""
        return {
            "fixed": {"probability": FIXED_PROBABILITY, **self.fixed.numbers()},
            "best_in_hindsight": {
                "weight": self.best_weight if self.best_weight != float("inf") else None,
                **self.best.numbers(),
            },
            "rows_per_cpu_s": self.rows_per_cpu_s,
            "notes": list(self.notes),
        }


def true_pairs(truth: Mapping[int, str]) -> int:
    """How many pairs of rows are one entity."""
    return sum(n * (n - 1) // 2 for n in Counter(truth.values()).values())

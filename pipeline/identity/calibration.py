"""Whether a confidence means what it says: of pairs of 0.9, nine of ten should be one person.

The pairs are put into bins by their confidence; a reliability diagram (Murphy & Winkler 1977) sets the share of true
pairs of each bin against their mean confidence.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.identity.estimate import wilson

EDGES = (0.01, 0.05, 0.2, 0.6, 0.9, 0.97, 0.99, 0.999)
"""Where bins end, beside the thresholds: finer where confidence is near 0 or 1, since there most pairs are."""


class Judged(NamedTuple):
    """A pair whose answer is known, the confidence of a model that was not fitted on it, and what it counts as."""

    confidence: float
    is_one: bool
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of confidence in [low, high), the last bin 1 as well: how many, how many are one person, and the sum of
    their confidences."""

    low: float
    high: float
    pairs: float = 0.0
    true: float = 0.0
    promised: float = 0.0

    @property
    def confidence(self) -> float:
        """Their mean confidence; the middle of the bin where there are none."""
        return self.promised / self.pairs if self.pairs else (self.low + self.high) / 2

    @property
    def share(self) -> float:
        """The share that is one person; 0 where there are none."""
        return self.true / self.pairs if self.pairs else 0.0

    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share."""
        return wilson(self.true, self.pairs)


def reliability(judged: Iterable[Judged], thresholds: Collection[float]) -> tuple[Bin, ...]:
    """The bins, between 0 and 1 and without a gap."""
    edges = sorted({*EDGES, *thresholds})
    sums = [[0.0, 0.0, 0.0] for _ in range(len(edges) + 1)]
    for confidence, is_one, weight in judged:
        at = sums[bisect_right(edges, confidence)]
        at[0] += weight
        at[1] += weight * is_one
        at[2] += weight * confidence
    return tuple(
        Bin(low, high, *at) for low, high, at in zip((0.0, *edges), (*edges, 1.0), sums, strict=True)
    )


def at_least(bins: Iterable[Bin], threshold: float) -> Bin:
    """All pairs from a threshold on, which has to be an edge."""
    found = [b for b in bins if b.low >= threshold]
    return Bin(
        threshold,
        1.0,
        sum(b.pairs for b in found),
        sum(b.true for b in found),
        sum(b.promised for b in found),
    )

"""How much pairs of strangers tell where many of them are pairs of the same few records.

n records make n (n - 1) / 2 pairs, which are no n (n - 1) / 2 observations: six people at one address are fifteen
pairs, and one accident. The variance of a mean over all pairs is that of as few as n / 2 independent ones where few
records make the most of it (Hoeffding 1948), and that of all pairs where no record is in it more than once. Between
the two the effective number of Kish (1965) tells: if c is in how many sightings of a level a record is,

    records of weight = (sum of c)^2 / (sum of c^2)        sightings that count = half of them

which is all sightings of a level that every record reaches once or never, and n / 2 of one that all reach alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pipeline.identity.compare import adjusted, sums
from pipeline.identity.ids import Id
from pipeline.identity.score import Model
from pipeline.identity.training.em import chances
from pipeline.identity.training.patterns import Pattern, Telling


def telling(found: Iterable[tuple[Id, Id, Pattern]], model: Model) -> Telling:
    """For each level the share of its sightings that counts; a pair is one as far as `model` takes it for strangers."""
    strange: dict[Pattern, float] = {}
    seen: defaultdict[tuple[str, str], defaultdict[Id, float]] = defaultdict(lambda: defaultdict(float))
    for low, high, pattern in found:
        apart = strange.get(pattern)
        if apart is None:
            apart = strange[pattern] = chances(sums(adjusted(pattern.weighed(model), model), model))[1]
        for level in pattern.levels:
            seen[level][low] += apart
            seen[level][high] += apart
    return {level: _share(by_record.values()) for level, by_record in seen.items()}


def _share(sightings: Iterable[float]) -> float:
    """Kish's effective number by the number itself; all of less than one sighting a record."""
    total = squares = 0.0
    for of_record in sightings:
        total += of_record
        squares += of_record * of_record
    return min(1.0, total / squares) if squares else 1.0

"""How common names are among the records at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import log2

from pipeline.identity.score import NameStatistics

KNOWN_BY = 500
"""People that the statistics at the start count as."""

BORNE_BY = 10
"""Records that must bear a name for the model to list it: a model file tells of nobody in particular."""

LISTED = 0.001
"""Share of the records that must bear it."""


def statistics(names: Iterable[str], start: NameStatistics) -> NameStatistics:
    """The rarity of the names of so many records, one a record, those at the start counting as `KNOWN_BY` more.

    A name not listed is as rare as such names are on average.
    """
    counts = Counter(names)
    total = counts.total() + KNOWN_BY
    share = {
        name: (counts[name] + KNOWN_BY * 2.0 ** -start.rarity(name)) / total
        for name in counts.keys() | start.bits.keys()
    }
    listed = {
        name: -log2(of)
        for name, of in share.items()
        if name in start.bits or (counts[name] >= BORNE_BY and of >= LISTED)
    }
    unlisted = _mean_rarity({n: c for n, c in counts.items() if n not in listed and c > 1}, share, start)
    return NameStatistics({name: min(bits, unlisted) for name, bits in listed.items()}, unlisted)


def _mean_rarity(counts: Mapping[str, int], share: Mapping[str, float], start: NameStatistics) -> float:
    total = sum(counts.values())
    seen = sum(-log2(share[name]) * count for name, count in counts.items())
    return (seen + KNOWN_BY * start.unlisted) / (total + KNOWN_BY)

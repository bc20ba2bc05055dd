"""What a campaign came to, from the lines of its journal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from infra.supervisor import kind

Line = Mapping[str, object]


def summary(lines: Sequence[Line]) -> Iterator[str]:
    """Lines of text. Strikes are counted as planned, those that missed beside them; resolve workers are one target."""
    if not lines:
        return
    total = {
        name: sum(cast(float, line[name]) for line in lines) for name in ("seconds", "acknowledged", "acts")
    }
    yield (
        f"{len(lines)} rounds, {total['seconds']:,.0f} s ({total['seconds'] / len(lines):.0f} s a round): "
        f"{total['acknowledged']:,} events and {total['acts']:,} acts acknowledged, "
        f"{sum(bool(line['findings']) for line in lines)} rounds with findings"
    )
    struck: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        for strike in cast(Sequence[str], line["strikes"]):
            how, target = strike.split()[2:4]  # as `Strike` tells it: 5.4 s: kill cache
            struck[how][kind(target)] += 1
    for how, targets in sorted(struck.items()):
        yield f"  {how} {targets.total()}: {', '.join(f'{t} {n}' for t, n in targets.most_common())}"
    if missed := sum(len(cast(Sequence[str], line["missed"])) for line in lines):
        yield f"  {missed} of them missed"

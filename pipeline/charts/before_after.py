"""Numbers before and after: pairs of bars, each pair on a scale of its own, and columns of a distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.charts.axes import Scale
from pipeline.charts.svg import FOR, INK, NEUTRAL, QUIET, document, line, rect, text, width_of

_LABEL, _BARS, _NUMBER = 236, 300, 110
_ROW, _BAR, _TOP = 52, 15, 34


@dataclass(frozen=True, slots=True)
class Both:
    """A number before and after, how either is written, and what it is."""

    name: str
    remark: str
    before: float
    after: float
    told: tuple[str, str]


def bars(title: str, rows: Sequence[Both], columns: tuple[str, str]) -> str:
    """Two bars a row, the longer one of each row as long as there is room."""
    width = _LABEL + _BARS + _NUMBER
    parts = [*_legend(columns, _LABEL)]
    for n, row in enumerate(rows):
        top = _TOP + _ROW * n
        scale = Scale(0.0, max(row.before, row.after) or 1.0, 0.0, _BARS)
        parts += [
            text(0, top + 14, row.name, weight="600"),
            text(0, top + 30, row.remark, size=11, fill=QUIET),
        ]
        for at, (value, told, fill) in enumerate(
            zip((row.before, row.after), row.told, (NEUTRAL, FOR), strict=True)
        ):
            y, long = top + at * (_BAR + 2), max(scale(value), 1.0)
            parts.append(rect(_LABEL, y, long, _BAR, fill=fill, hint=f"{row.name}, {columns[at]}: {told}"))
            parts.append(text(_LABEL + long + 6, y + 12, told, size=12, fill=INK if at else QUIET))
    said = "; ".join(f"{row.name}: {row.told[0]}, {row.told[1]}" for row in rows)
    return document(width, _TOP + _ROW * len(rows), title, f"{columns[0]} and {columns[1]}: {said}.", *parts)


def distribution(
    title: str, unit: str, buckets: Sequence[tuple[str, int, int]], columns: tuple[str, str]
) -> str:
    """Two columns a bucket of (name, before, after), with their numbers on top; heights are square roots.

    So what is rare is still seen beside what is common, and the more of anything is still the higher.
    """
    step, wide, high, top = 84, 30, 170, 60
    most = max((max(before, after) for _, before, after in buckets), default=1) or 1
    scale = Scale(0.0, most**0.5, 0.0, high)
    bottom = top + high
    parts = [*_legend(columns, 0), line(0, bottom, step * len(buckets), bottom)]
    for n, (name, *values) in enumerate(buckets):
        middle = step * n + step / 2
        parts.append(text(middle, bottom + 18, name, size=12, anchor="middle"))
        for at, (value, fill) in enumerate(zip(values, (NEUTRAL, FOR), strict=True)):
            left, tall = middle - wide - 1 + at * (wide + 2), scale(value**0.5)
            hint = f"{name} {unit}, {columns[at]}: {value:,}"
            parts.append(rect(left, bottom - tall, wide, tall, fill=fill, hint=hint))
            # numbers too wide for their column lean away from each other
            shown, fits = f"{value:,}", width_of(f"{value:,}", 11) <= wide
            at_x = left + wide / 2 if fits else left + wide * (1 - at)
            anchor = "middle" if fits else ("start" if at else "end")
            ink = INK if at else QUIET
            parts.append(text(at_x, bottom - tall - 5, shown, size=11, fill=ink, anchor=anchor))
    said = "; ".join(f"{name}: {before:,}, {after:,}" for name, before, after in buckets)
    parts.append(text(step * len(buckets) / 2, bottom + 36, unit, size=11, fill=QUIET, anchor="middle"))
    return document(
        step * len(buckets), bottom + 44, title, f"By {unit}, {columns[0]} and {columns[1]}: {said}.", *parts
    )


def _legend(columns: tuple[str, str], left: float) -> list[str]:
    parts = []
    for name, fill in zip(columns, (NEUTRAL, FOR), strict=True):
        parts += [rect(left, 4, 11, 11, fill=fill), text(left + 16, 14, name, size=11, fill=QUIET)]
        left += 34 + width_of(name, 11)
    return parts

"""Two waterfalls in one: how either of two sums comes about, line by line, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from pipeline.charts.axes import Scale
from pipeline.charts.svg import AGAINST, FOR, INK, NEUTRAL, QUIET, document, fitted, line, rect, text
from pipeline.charts.waterfall import Threshold, signed

_NAME, _REMARK, _PLOT, _NUMBER = 100, 196, 206, 46
_WIDTH = _NAME + _REMARK + _PLOT + 2 * _NUMBER
_ROW, _BAR, _TOP = 26, 8, 44
_SIZE = 12


@dataclass(frozen=True, slots=True)
class Line:
    """A line of both sums: what it is, a remark, and how much it adds to either."""

    name: str
    remark: str
    first: float
    second: float


def twofold(
    title: str,
    lines: Sequence[Line],
    total: str,
    columns: tuple[str, str],
    thresholds: Sequence[Threshold],
    *,
    unit: str,
) -> str:
    """Each line has a pale bar of the first sum above one of the second; the first line begins at zero, the total too.

    `thresholds` are those of the second sum.
    """
    firsts, seconds = (
        list(accumulate(values)) for values in ([x.first for x in lines], [x.second for x in lines])
    )
    scale = _scale([*firsts, *seconds, *(t.value for t in thresholds)])
    bottom = _TOP + _ROW * (len(lines) + 1)
    end = Line(total, "", firsts[-1], seconds[-1])
    return document(
        _WIDTH,
        bottom + 8,
        title,
        _in_words(lines, end, columns, thresholds, unit),
        *_heads(columns, unit),
        line(scale(0.0), _TOP - 4, scale(0.0), bottom),
        *_thresholds(thresholds, scale, bottom),
        *(
            _drawn(
                x,
                _TOP + _ROW * n,
                scale,
                (firsts[n] - x.first, firsts[n]),
                (seconds[n] - x.second, seconds[n]),
            )
            for n, x in enumerate(lines)
        ),
        line(0, bottom - _ROW - 1, _WIDTH, bottom - _ROW - 1),
        _drawn(end, bottom - _ROW, scale, (0.0, end.first), (0.0, end.second), is_total=True),
    )


def _scale(values: Sequence[float]) -> Scale:
    low, high = min(0.0, *values), max(0.0, *values)
    room = max((high - low) * 0.05, 1.0)
    left = float(_NAME + _REMARK)
    return Scale(low - room, high + room, left, left + _PLOT)


def _heads(columns: tuple[str, str], unit: str) -> list[str]:
    right = _NAME + _REMARK + _PLOT
    return [
        text(right + _NUMBER * (n + 1) - 4, 16, name, size=11, fill=QUIET, anchor="end")
        for n, name in enumerate(columns)
    ] + [text(_NAME + _REMARK, 16, unit, size=11, fill=QUIET)]


def _thresholds(thresholds: Sequence[Threshold], scale: Scale, bottom: float) -> list[str]:
    """Dashed lines, their names to the left of them, that of the last to the right."""
    parts = []
    ordered = sorted(thresholds, key=lambda t: t.value)
    for n, threshold in enumerate(ordered, start=1):
        x, last = scale(threshold.value), n == len(ordered)
        parts.append(line(x, _TOP - 12, x, bottom, stroke=QUIET, dashes="4 3"))
        anchor = "start" if last else "end"
        parts.append(
            text(x + (3 if last else -3), _TOP - 5, threshold.name, size=10, fill=QUIET, anchor=anchor)
        )
    return parts


def _drawn(
    x: Line,
    top: float,
    scale: Scale,
    first: tuple[float, float],
    second: tuple[float, float],
    *,
    is_total: bool = False,
) -> str:
    weight = "600" if is_total else "normal"
    right = _NAME + _REMARK + _PLOT
    changed = signed(x.first) != signed(x.second)
    fill = INK if is_total else FOR if x.second > 0 else AGAINST if x.second < 0 else NEUTRAL
    return "".join(
        (
            text(0, top + 16, fitted(x.name, _NAME - 8, _SIZE), size=_SIZE, weight=weight),
            text(_NAME, top + 16, fitted(x.remark, _REMARK - 8, 11), size=11, fill=QUIET),
            _bar(first, scale, top + 3, NEUTRAL),
            _bar(second, scale, top + 3 + _BAR + 1, fill),
            text(right + _NUMBER - 4, top + 16, signed(x.first), size=_SIZE, fill=QUIET, anchor="end"),
            text(
                right + 2 * _NUMBER - 4,
                top + 16,
                signed(x.second),
                size=_SIZE,
                anchor="end",
                weight="600" if changed or is_total else "normal",
            ),
        )
    )


def _bar(ends: tuple[float, float], scale: Scale, top: float, fill: str) -> str:
    left, right = sorted(map(scale, ends))
    return rect(left, top, max(right - left, 1.0), _BAR, fill=fill)


def _in_words(
    lines: Sequence[Line], end: Line, columns: tuple[str, str], thresholds: Sequence[Threshold], unit: str
) -> str:
    said = "; ".join(f"{x.name} ({x.remark}) {signed(x.first)}, {signed(x.second)}" for x in (*lines, end))
    marks = ", ".join(f"{t.name} at {signed(t.value)}" for t in thresholds)
    return f"In {unit}, {columns[0]} and {columns[1]}: {said}. Thresholds: {marks}."

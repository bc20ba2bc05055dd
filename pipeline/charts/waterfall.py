"""A waterfall: how a sum comes about, step by step, and which thresholds it passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from pipeline.charts.axes import Scale, below, told
from pipeline.charts.svg import (
    AGAINST,
    FOR,
    INK,
    NEUTRAL,
    PAPER,
    QUIET,
    document,
    fitted,
    line,
    rect,
    text,
    width_of,
)

_ROW, _BAR = 38, 20
_TOP, _BOTTOM = 96, 72
_LABELS, _PLOT, _RIGHT = 260, 520, 70
_WIDTH = 24 + _LABELS + _PLOT + _RIGHT


@dataclass(frozen=True, slots=True)
class Step:
    """A bar: what it is, a remark below, and how much it adds."""

    name: str
    remark: str
    value: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value that counts, drawn across all bars."""

    name: str
    value: float


def waterfall(
    title: str,
    subtitle: str,
    start: Step,
    steps: Sequence[Step],
    total: str,
    thresholds: Sequence[Threshold],
    *,
    unit: str,
    labels: Callable[[float], Sequence[str]] = lambda value: (told(value),),
) -> str:
    """The start from zero, each step from where the one before it ended, the total from zero again."""
    sums = list(accumulate((s.value for s in steps), initial=start.value))
    scale = _scale(sums, thresholds)
    bottom = _TOP + _ROW * (len(steps) + 2)
    bars = [_Bar(start, 0.0, start.value, NEUTRAL)]
    bars += [
        _Bar(s, before, after, FOR if s.value > 0 else AGAINST if s.value < 0 else NEUTRAL)
        for s, before, after in zip(steps, sums, sums[1:], strict=False)
    ]
    bars.append(_Bar(Step(total, "", sums[-1]), 0.0, sums[-1], INK))
    return document(
        _WIDTH,
        bottom + _BOTTOM,
        title,
        f"{subtitle} {_in_words(start, steps, total, sums[-1], thresholds, unit)}",
        text(24, 32, title, size=17, weight="600"),
        text(24, 53, fitted(subtitle, _WIDTH - 48, 12.5), size=12.5, fill=QUIET),
        below(scale, _TOP - 6, bottom, unit, labels=labels),
        *_lines(thresholds, scale, bottom),
        *(_drawn(bar, _TOP + _ROW * n, scale) for n, bar in enumerate(bars)),
        *(
            line(
                scale(bar.end), _TOP + _ROW * n + _BAR, scale(bar.end), _TOP + _ROW * (n + 1), stroke=NEUTRAL
            )
            for n, bar in enumerate(bars[:-1])
        ),
    )


def signed(value: float) -> str:
    """+1.5, −0.3 or 0.0."""
    words = f"{value:+.1f}".replace("-", "\u2212")
    return words if float(f"{value:.1f}") else "0.0"


@dataclass(frozen=True, slots=True)
class _Bar:
    step: Step
    begin: float
    end: float
    fill: str


def _scale(sums: Sequence[float], thresholds: Sequence[Threshold]) -> Scale:
    values = [0.0, *sums, *(t.value for t in thresholds)]
    low, high = min(values), max(values)
    room = max((high - low) * 0.08, 1.0)
    left = 24.0 + _LABELS
    return Scale(low - room, high + room, left, left + _PLOT)


def _drawn(bar: _Bar, top: float, scale: Scale) -> str:
    step = bar.step
    left, right = sorted((scale(bar.begin), scale(bar.end)))
    strong = "600" if bar.fill == INK else "normal"
    value = signed(step.value)
    # the value stands at the end of its bar, on the side it points to, on paper that covers the grid
    at, anchor = (right + 6, "start") if bar.end >= bar.begin else (left - 6, "end")
    wide = width_of(value, 12) + 4
    ground = rect(at - 2 if anchor == "start" else at - wide + 2, top + 2, wide, 16, fill=PAPER)
    return "".join(
        (
            text(24, top + 14, fitted(step.name, _LABELS - 8), weight=strong),
            text(24, top + 29, fitted(step.remark, _LABELS - 8, 11), size=11, fill=QUIET)
            if step.remark
            else "",
            ground,
            rect(
                left,
                top,
                max(right - left, 1.0),
                _BAR,
                fill=bar.fill,
                hint=f"{step.name}: {value} ({step.remark})",
            ),
            text(at, top + 14, value, size=12, anchor=anchor, weight=strong),
        )
    )


def _lines(thresholds: Sequence[Threshold], scale: Scale, bottom: float) -> list[str]:
    """Dashed lines, their names above them: to the left of the first, to the right of the last."""
    parts = []
    ordered = sorted(thresholds, key=lambda t: t.value)
    for n, threshold in enumerate(ordered):
        x = scale(threshold.value)
        last = n == len(ordered) - 1
        parts.append(line(x, _TOP - 12, x, bottom, stroke=QUIET, dashes="5 4"))
        parts.append(
            text(
                x + (4 if last else -4),
                _TOP - 16,
                threshold.name,
                size=11,
                fill=QUIET,
                anchor="start" if last else "end",
            )
        )
    return parts


def _in_words(
    start: Step,
    steps: Sequence[Step],
    total: str,
    end: float,
    thresholds: Sequence[Threshold],
    unit: str,
) -> str:
    parts = [f"{s.name} {signed(s.value)}" for s in (start, *steps)]
    lines = ", ".join(f"{t.name} at {signed(t.value)}" for t in thresholds)
    return f"In {unit}: {'; '.join(parts)}; {total} {signed(end)}. Lines: {lines}."

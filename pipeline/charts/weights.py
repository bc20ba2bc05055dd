"""Match weights of a model, level by level: against strangers, against a household, and as they were before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.charts.axes import Scale, below
from pipeline.charts.svg import (
    AGAINST,
    FAINT,
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
from pipeline.charts.waterfall import signed

_LEFT, _LABEL, _PLOT, _NUMBERS = 12, 292, 460, 186
_WIDTH = _LEFT + _LABEL + _PLOT + _NUMBERS
_COLUMNS = ("before", 52), ("now", 104), ("household", 186)
_ROW, _BAR, _THIN = 25, 9, 4
_HEAD, _TOP = 34, 52


@dataclass(frozen=True, slots=True)
class LevelBars:
    """A level: weights in bits against strangers and against a household, and that against strangers before."""

    name: str
    strangers: float
    household: float
    before: float


@dataclass(frozen=True, slots=True)
class AttributeBars:
    """An attribute, a remark on it, and its levels."""

    name: str
    remark: str
    levels: Sequence[LevelBars]


def weights(title: str, attributes: Sequence[AttributeBars]) -> str:
    """A thick bar a level against strangers with a mark where it ended before, and a thin one against a household."""
    values = [v for a in attributes for x in a.levels for v in (x.strangers, x.household, x.before)]
    low, high = min(values, default=-1.0), max(values, default=1.0)
    left = float(_LEFT + _LABEL)
    scale = Scale(min(low, -1.0) - 0.5, max(high, 1.0) + 0.5, left, left + _PLOT)
    bottom = _TOP + sum(_HEAD + _ROW * len(a.levels) for a in attributes)
    parts = [below(scale, _TOP, bottom, "bits: each doubles the odds of one person"), *_legend()]
    top = float(_TOP)
    for attribute in attributes:
        parts.append(_heading(attribute, top))
        top += _HEAD
        for level in attribute.levels:
            parts.append(_drawn(level, top, scale))
            top += _ROW
    parts.append(line(scale(0.0), _TOP, scale(0.0), bottom, stroke=QUIET))
    return document(_WIDTH, bottom + 48, title, _in_words(attributes), *parts)


def _legend() -> list[str]:
    right = _LEFT + _LABEL + _PLOT
    return [
        rect(_LEFT, 8, 9, _BAR, fill=FOR),
        rect(_LEFT + 11, 8, 9, _BAR, fill=AGAINST),
        text(_LEFT + 26, 17, "against strangers, for and against one person", size=11, fill=QUIET),
        rect(_LEFT + 300, 11, 20, _THIN, fill=NEUTRAL),
        text(_LEFT + 326, 17, "against a household", size=11, fill=QUIET),
        rect(_LEFT + 462, 6, 2, 14, fill=INK),
        text(_LEFT + 470, 17, "before, against strangers", size=11, fill=QUIET),
        *(text(right + end, 17, name, size=11, fill=QUIET, anchor="end") for name, end in _COLUMNS),
    ]


def _heading(attribute: AttributeBars, top: float) -> str:
    wide = width_of(attribute.name, 15) + 12  # bold letters are wider
    return "".join(
        (
            rect(_LEFT, top + 4, _WIDTH - _LEFT, _HEAD - 6, fill=PAPER),
            line(_LEFT, top + 4, _WIDTH, top + 4, stroke=FAINT),
            text(_LEFT, top + 23, attribute.name[:1].upper() + attribute.name[1:], weight="600"),
            text(_LEFT + wide, top + 23, attribute.remark, size=11, fill=QUIET),
        )
    )


def _drawn(level: LevelBars, top: float, scale: Scale) -> str:
    right = _LEFT + _LABEL + _PLOT
    fill = FOR if level.strangers > 0 else AGAINST
    hint = (
        f"{level.name}: {signed(level.strangers)} against strangers (before {signed(level.before)}), "
        f"{signed(level.household)} against a household"
    )
    before, now, household = (right + end for _, end in _COLUMNS)
    moved = abs(level.strangers - level.before) >= 1.0
    return "".join(
        (
            text(_LEFT, top + 14, fitted(level.name, _LABEL - 10, 12), size=12),
            _bar(level.strangers, scale, top + 3, _BAR, fill, hint),
            _bar(level.household, scale, top + 4 + _BAR, _THIN, NEUTRAL, hint),
            rect(scale(level.before) - 1, top + 1, 2, _BAR + 4, fill=INK),
            text(before, top + 14, signed(level.before), size=11, fill=QUIET, anchor="end"),
            text(
                now,
                top + 14,
                signed(level.strangers),
                size=12,
                anchor="end",
                weight="600" if moved else "normal",
            ),
            text(household, top + 14, signed(level.household), size=11, fill=QUIET, anchor="end"),
        )
    )


def _bar(value: float, scale: Scale, top: float, height: float, fill: str, hint: str) -> str:
    left, right = sorted((scale(0.0), scale(value)))
    return rect(left, top, max(right - left, 1.0), height, fill=fill, hint=hint)


def _in_words(attributes: Sequence[AttributeBars]) -> str:
    said = "; ".join(
        f"{a.name}, {x.name}: {signed(x.strangers)}, {signed(x.household)}, {signed(x.before)}"
        for a in attributes
        for x in a.levels
    )
    return f"In bits against strangers, against a household, and against strangers before: {said}."

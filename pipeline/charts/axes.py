"""From values to places: linear scales with round ticks, and the axes drawn along them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from pipeline.charts.svg import FAINT, QUIET, group, line, text

_SIZE = 11


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps [low, high] to [start, end] pixels; low < high, but start may lie beyond end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value; one out of range lies out of range."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, about: int = 7) -> tuple[float, ...]:
        """Round values in range, at distances of 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / about
        power = 10.0 ** floor(log10(rough))
        step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return tuple(round(n * step, 10) for n in range(first, last + 1))


def told(value: float) -> str:
    """A tick in words: at most six digits, and a true minus sign."""
    return f"{value:g}".replace("-", "\u2212")


def below(
    scale: Scale,
    top: float,
    bottom: float,
    name: str,
    *,
    labels: Callable[[float], Sequence[str]] = lambda value: (told(value),),
) -> str:
    """The axis of x with grid lines from `top` to `bottom`; a tick may have several lines of label."""
    ticks = scale.ticks()
    parts = [line(scale(v), top, scale(v), bottom) for v in ticks]
    lines = [labels(v) for v in ticks]
    for value, words in zip(ticks, lines, strict=True):
        parts += [
            text(scale(value), bottom + 16 + 14 * n, w, size=_SIZE, fill=QUIET, anchor="middle")
            for n, w in enumerate(words)
        ]
    deepest = bottom + 20 + 14 * max((len(words) for words in lines), default=0)
    middle = (scale.start + scale.end) / 2
    return group(*parts, text(middle, deepest + 10, name, size=_SIZE, fill=QUIET, anchor="middle"))


def beside(
    scale: Scale,
    left: float,
    right: float,
    name: str,
    *,
    labels: Callable[[float], str] = told,
) -> str:
    """The axis of y with grid lines from `left` to `right`; its name stands above it."""
    parts = []
    for value in scale.ticks():
        parts.append(line(left, scale(value), right, scale(value), stroke=FAINT))
        parts.append(text(left - 8, scale(value) + 4, labels(value), size=_SIZE, fill=QUIET, anchor="end"))
    return group(*parts, text(left, min(scale.start, scale.end) - 10, name, size=_SIZE, fill=QUIET))

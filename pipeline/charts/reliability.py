"""A reliability diagram: what confidence promised, and what share of pairs kept it."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from pipeline.charts.axes import Scale
from pipeline.charts.svg import (
    AGAINST,
    FAINT,
    FOR,
    INK,
    NEUTRAL,
    QUIET,
    document,
    element,
    group,
    line,
    rect,
    text,
)
from pipeline.identity.calibration import Bin

_LEFT, _TOP, _PLOT, _COUNTS = 64, 34, 420, 92
_WIDTH = _LEFT + _PLOT + 24
_ENDS = 0.0005
"""What lies beyond is drawn at the end of the axis: log odds of 0 and 1 have no place."""

_KEY = (
    "dots: the share and its 95 % interval, orange where that misses the diagonal",
    "columns: pairs, their heights as square roots",
)
_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)


def reliability(title: str, bins: Sequence[Bin], thresholds: Sequence[tuple[str, float]]) -> str:
    """A dot a bin with its 95 % interval against the diagonal, both axes in log odds; below how many pairs it holds.
    `thresholds` are two, the lower first.

    A bin whose interval misses the diagonal is drawn in the colour that speaks against.
    """
    x = Scale(_odds(0.0), _odds(1.0), _LEFT, _LEFT + _PLOT)
    y = Scale(_odds(0.0), _odds(1.0), _TOP + _PLOT, _TOP)
    shown = [b for b in bins if b.pairs]
    ground = _TOP + _PLOT + 24 + _COUNTS
    most = max((b.pairs for b in shown), default=1.0)
    tall = Scale(0.0, most**0.5, 0.0, _COUNTS - 24)
    return document(
        _WIDTH,
        ground + 80,
        title,
        _in_words(shown),
        *_grid(x, y),
        *(
            _threshold(name, x(_odds(value)), ground, "start" if n else "end")
            for n, (name, value) in enumerate(thresholds)
        ),
        line(_LEFT, _TOP + _PLOT, _LEFT + _PLOT, _TOP, stroke=QUIET, dashes="6 4"),
        *(_drawn(b, x, y) for b in shown),
        *(_count(b, x, ground, tall(b.pairs**0.5)) for b in shown),
        line(_LEFT, ground, _LEFT + _PLOT, ground),
        *(text(x(_odds(t)), ground + 16, _told(t), size=11, fill=QUIET, anchor="middle") for t in _TICKS),
        text(_LEFT + _PLOT / 2, ground + 36, "confidence", size=11, fill=QUIET, anchor="middle"),
        *(text(_LEFT, ground + 58 + 15 * n, w, size=11, fill=QUIET) for n, w in enumerate(_KEY)),
    )


def is_kept(found: Bin) -> bool:
    """Whether the share of a bin agrees with its confidence, as far as its pairs can tell."""
    low, high = found.interval()
    return low <= found.confidence <= high


def _odds(share: float) -> float:
    held = min(max(share, _ENDS), 1 - _ENDS)
    return log2(held / (1 - held))


def _told(share: float) -> str:
    return f"{share * 100:g} %"


def _grid(x: Scale, y: Scale) -> list[str]:
    parts = [text(_LEFT - 48, _TOP - 16, "share that is one person", size=11, fill=QUIET)]
    for tick in _TICKS:
        parts += [
            line(x(_odds(tick)), _TOP, x(_odds(tick)), _TOP + _PLOT, stroke=FAINT),
            line(_LEFT, y(_odds(tick)), _LEFT + _PLOT, y(_odds(tick)), stroke=FAINT),
            text(_LEFT - 8, y(_odds(tick)) + 4, _told(tick), size=11, fill=QUIET, anchor="end"),
        ]
    return parts


def _threshold(name: str, at: float, ground: float, anchor: str) -> str:
    return group(
        line(at, _TOP - 4, at, ground, stroke=QUIET, dashes="2 3"),
        text(at, _TOP - 8, name, size=10, fill=QUIET, anchor=anchor),
    )


def _drawn(found: Bin, x: Scale, y: Scale) -> str:
    at, (low, high) = x(_odds(found.confidence)), found.interval()
    fill = FOR if is_kept(found) else AGAINST
    return group(
        rect(at - 1, y(_odds(high)), 2, y(_odds(low)) - y(_odds(high)), fill=fill),
        element("circle", cx=at, cy=y(_odds(found.share)), r=5, fill=fill),
        element("title", _said(found)),
    )


def _count(found: Bin, x: Scale, ground: float, tall: float) -> str:
    at = x(_odds(found.confidence))
    return group(
        rect(at - 9, ground - tall, 18, tall, fill=NEUTRAL, hint=_said(found)),
        text(at, ground - tall - 4, f"{found.pairs:,.0f}", size=10, fill=INK, anchor="middle"),
    )


def _said(found: Bin) -> str:
    low, high = found.interval()
    return (
        f"{found.pairs:,.0f} pairs of {found.low:.3g} to {found.high:.3g}: mean confidence {found.confidence:.4f}, "
        f"share {found.share:.4f} ({low:.4f} to {high:.4f})"
    )


def _in_words(bins: Sequence[Bin]) -> str:
    return "; ".join(map(_said, bins)) or "No pair was judged."

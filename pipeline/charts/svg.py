"""The elements charts are drawn with, each a text of SVG (W3C SVG 2). Lengths are pixels, y grows downwards."""

from __future__ import annotations

import re
from hashlib import blake2b
from html import escape

INK, QUIET, FAINT, PAPER = "#1b1f24", "#57606a", "#d8dee4", "#ffffff"
"""Text; text that may be passed over; grid lines; the ground. The first two have a contrast of 5:1 or more on it."""

FOR, AGAINST, NEUTRAL = "#2166ac", "#c2500f", "#6e7781"
"""Bars that speak for and against, and those that do neither. Told apart by the colour-blind as well."""

_FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"
_EM = 0.56
"""Mean width of a letter in ems: what a text takes is guessed, since no font is at hand."""

_REFUSED_BY_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def number(value: float) -> str:
    """A number as SVG has it, to a hundredth and never `-0`."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def plain(words: str) -> str:
    """Words as XML text or as the value of an attribute in double quotes."""
    return escape(_REFUSED_BY_XML.sub("\ufffd", words))


def element(name: str, content: str = "", /, **attributes: str | float) -> str:
    """An element around content that is SVG already. Attributes' underscores stand for dashes."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{plain(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{told}>{content}</{name}>" if content else f"<{name}{told}/>"


def group(*parts: str, **attributes: str | float) -> str:
    """Parts drawn one over the other."""
    return element("g", "".join(parts), **attributes)


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: float = 13,
    fill: str = INK,
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    """Words on the base line `y`; `anchor` is start, middle or end."""
    return element(
        "text", plain(words), x=x, y=y, font_size=size, fill=fill, text_anchor=anchor, font_weight=weight
    )


def rect(x: float, y: float, width: float, height: float, *, fill: str, hint: str = "") -> str:
    """A bar. The hint is shown where a pointer rests on it, and read out."""
    said = element("title", plain(hint)) if hint else ""
    return element("rect", said, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), fill=fill)


def line(x1: float, y1: float, x2: float, y2: float, *, stroke: str = FAINT, dashes: str = "none") -> str:
    """A line of one pixel; `dashes` as stroke-dasharray."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, stroke_dasharray=dashes)


def width_of(words: str, size: float = 13) -> float:
    """About how wide words are."""
    return len(words) * size * _EM


def fitted(words: str, width: float, size: float = 13) -> str:
    """The words, cut short with an ellipsis where they are wider than that."""
    most = max(1, int(width / (size * _EM)))
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def document(width: float, height: float, title: str, description: str, *parts: str) -> str:
    """A whole SVG. Title and description are what one reads who does not see it."""
    name = blake2b(
        f"{title}\0{description}".encode(), digest_size=6
    ).hexdigest()  # single in a page of several
    head = element("title", plain(title), id=f"title-{name}") + element(
        "desc", plain(description), id=f"desc-{name}"
    )
    return element(
        "svg",
        head + rect(0, 0, width, height, fill=PAPER) + "".join(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"title-{name} desc-{name}",
        font_family=_FONT,
    )

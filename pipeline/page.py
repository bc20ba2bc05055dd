"""The frame of a page to look at: one file, no script, no address outside, light and dark, fit to print."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib import resources


def whole(title: str, body: str) -> str:
    """The page around a body that is HTML already."""
    css = resources.files("pipeline").joinpath("page.css").read_text("utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>\n{css}</style></head>\n<body><main>{body}</main></body></html>\n"
    )


def tiles(items: Iterable[tuple[str, str, str]]) -> str:
    """Numbers to see first: what each is, its value, and a remark."""
    return f'<div class="tiles">{"".join(_tile(*item) for item in items)}</div>'


def _tile(name: str, value: str, more: str) -> str:
    return (
        f'<div class="tile"><div class="name">{escape(name)}</div><div class="value">{escape(value)}</div>'
        f'<div class="more">{escape(more)}</div></div>'
    )


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """The first column holds words, the others numbers."""
    head = "".join(f"<th{_number(n)}>{escape(h)}</th>" for n, h in enumerate(heads))
    lines = "".join(
        f"<tr>{''.join(f'<td{_number(n)}>{escape(cell)}</td>' for n, cell in enumerate(row))}</tr>"
        for row in rows
    )
    return f'<div class="card"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def note(words: str) -> str:
    """What must not be missed."""
    return f'<p class="note">{escape(words)}</p>'


def _number(column: int) -> str:
    return " class=number" if column else ""

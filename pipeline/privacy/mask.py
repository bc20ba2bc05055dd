"""Values as a steward may see them by default: enough to recognise what one knows, not enough to learn it."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_HIDDEN = "***"
_OPEN = frozenset(("gender", "name_suffix", "purchases"))
"""Attributes that name nobody."""


def masked(attribute: str, value: str) -> str:
    """j***@m***.net, +1***71, L***7, 1984-**-**; a*** b*** of names, 1* m* s* of addresses, word by word."""
    if attribute in _OPEN:
        return value
    if attribute == "email":
        return _email(value)
    if attribute == "date_of_birth":
        return "|".join(f"{reading[:4]}-**-**" for reading in value.split("|"))
    if attribute == "national_id":
        return "|".join(_kinded(part) for part in value.split("|"))
    if attribute == "phone" or attribute.endswith("_id"):
        return _ends(value)
    rest = "*" if attribute == "address" else _HIDDEN
    return _WORD.sub(lambda word: word.group()[0] + rest, value)


def _email(value: str) -> str:
    user, _, domain = value.partition("@")
    name, dot, top = domain.rpartition(".")
    return f"{user[:1]}{_HIDDEN}@{name[:1]}{_HIDDEN}{dot}{top}"


def _kinded(value: str) -> str:
    kind, _, number = value.rpartition(":")
    return f"{kind}:{_ends(number)}" if kind else _ends(number)


def _ends(value: str) -> str:
    """Two characters at either end of a long value, one of a shorter, none of a short one."""
    shown = 2 if len(value) >= 9 else 1 if len(value) >= 5 else 0
    return f"{value[:shown]}{_HIDDEN}{value[len(value) - shown :]}"

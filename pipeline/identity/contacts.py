"""E-mail addresses and opaque ids in the one form in which they are compared; several in one field taken apart."""

from __future__ import annotations

import re

from pipeline.codes import ReasonCode
from pipeline.identity.policy import Policy
from pipeline.identity.text import clean

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"[^\s@<>\"(),;:]+@(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])")
_ANGLED = re.compile(r"<([^<>]*)>\s*$")
_AROUND = " .,;:'\"<>()[]"
_AT = re.compile(r" ?@ ?")
_BETWEEN = re.compile(r"[;,|/\s]+")
_MAX_EMAIL = 254
_ONE_SIGN = 8
"""From so many on, one sign repeated is no id."""
_RUNS = ("0123456789012345678901234567890", "9876543210987654321098765432109")


def emails_of(text: str) -> tuple[str, ...]:
    """The addresses in a field that holds several, as written; nearly always the field itself."""
    if text.count("@") < 2:
        return (text,)
    angled = re.findall(r"<([^<>\s]+@[^<>\s]+)>", text)
    found = angled or [part for part in _BETWEEN.split(text) if "@" in part]
    return tuple(found) or (text,)


def email(text: str, policy: Policy) -> str | ReasonCode:
    """Lower case, without display name and tag, one spelling for a provider's aliases; or why not.

    A misspelt domain (gmial.com) is left as it is: comparison sees that it is close, an identity is not guessed.
    """
    angled = _ANGLED.search(text) if ">" in text else None
    lowered = (angled[1] if angled else text).strip().casefold().removeprefix("mailto:")
    if len(lowered) > _MAX_EMAIL:
        return ReasonCode.TOO_LONG
    user, _, domain = lowered.rpartition("@")
    if not _EMAIL.fullmatch(lowered) or not user.isascii():
        user, domain = _mended(_AT.sub("@", lowered))
        if not _EMAIL.fullmatch(f"{user}@{domain}"):
            return ReasonCode.INVALID_EMAIL
    domain = policy.domain_aliases.get(domain, domain)
    user = user.partition("+")[0] or user
    if domain in policy.dash_tag_domains:
        user = user.partition("-")[0] or user
    if domain in policy.dotless_domains:
        user = user.replace(".", "") or user
    found = f"{user}@{domain}"
    refused = policy.placeholder_emails
    return (
        ReasonCode.PLACEHOLDER
        if found in refused or f"{user}@" in refused or f"@{domain}" in refused
        else found
    )


def _mended(text: str) -> tuple[str, str]:
    """User and domain without what people and programs leave around an address; an international domain in ASCII."""
    user, _, domain = text.rpartition("@")
    if len(user) > 2 and user[0] == user[-1] == '"':  # needed only where there are spaces or marks between
        user = user[1:-1]
    user = user.lstrip(" '\"<([").replace("i\u0307", "i").replace("ı", "i")
    domain = domain.partition("?")[0].partition(" (")[0].strip(_AROUND)
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return user, ""
    return user, domain


def opaque(text: str) -> str | ReasonCode:
    """An id as the source writes it; zeros, nines, one sign throughout and counting are stand-ins."""
    kept = clean(text)
    marks = [c for c in kept.casefold() if c.isalnum()]
    if not marks:
        return ReasonCode.PLACEHOLDER if kept else ReasonCode.INVALID_IDENTIFIER
    if len(set(marks)) == 1 and (marks[0] in "0x" or len(marks) >= (4 if marks[0] == "9" else _ONE_SIGN)):
        return ReasonCode.PLACEHOLDER
    counts = len(marks) >= _ONE_SIGN and any("".join(marks) in run for run in _RUNS)
    return ReasonCode.PLACEHOLDER if counts else kept

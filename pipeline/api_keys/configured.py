"""API keys of `RB_API_KEYS`: each holds every scope, unless it names its own.

RB_API_KEYS=everything-key,till-key:ingest,shop-key:read+read:pii
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pipeline.api_keys.scope import EVERYTHING, Scope, scopes_of
from pipeline.api_keys.secret import looks_stored
from pipeline.errors import ConfigurationError

_SCOPE = "|".join(sorted(Scope, reverse=True))  # read:pii before read
_SCOPED = re.compile(rf"(?P<key>.+?):(?P<scopes>(?:{_SCOPE})(?:\+(?:{_SCOPE}))*)")


@dataclass(frozen=True, slots=True)
class ConfiguredKey:
    """A key as the environment gives it."""

    key: str = field(repr=False)
    scopes: frozenset[Scope]


def configured(text: str) -> tuple[ConfiguredKey, ...]:
    """The keys of a comma-separated list. Raises ConfigurationError for one with a colon and no known scopes behind it:
    what is meant to hold little must not hold everything for a slip of the pen."""
    return tuple(_one(number, one.strip()) for number, one in enumerate(text.split(","), 1) if one.strip())


def _one(number: int, text: str) -> ConfiguredKey:
    match = _SCOPED.fullmatch(text)
    if match is None and ":" in text:
        raise ConfigurationError(
            f"RB_API_KEYS: what follows the colon of key {number} is no list of scopes; write "
            f"key:scope+scope, of {', '.join(Scope)}, or a key without a colon"
        )
    key = match["key"] if match else text
    if looks_stored(key):
        raise ConfigurationError(f"RB_API_KEYS: key {number} begins with rb_, as keys of the database do")
    return ConfiguredKey(key, scopes_of(match["scopes"].split("+")) if match else EVERYTHING)

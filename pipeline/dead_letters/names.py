"""The names of fields that may be told: ours. A source may have put anything at all into a name that it made up."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.events import ConsentIn, EventIn
from pipeline.identity.model import IdentifierType
from pipeline.identity.normalize import TRAIT_NAMES

PAYLOAD_NAMES = (
    "channel", "store", "record_id", "amount", "currency", "items", "sku", "quantity", "price", "category",
)  # fmt: skip
MADE_UP = "?"
_NAMES = frozenset(
    (
        *EventIn.model_fields,
        *ConsentIn.model_fields,
        "event",
        "accepted_at",
        *IdentifierType,
        *TRAIT_NAMES,
        *PAYLOAD_NAMES,
    )
)
_IN_A_LIST = re.compile(rf"identifiers\.({'|'.join(IdentifierType)})|payload\.items|consent")
_INDEX = re.compile(r"[0-9]{1,4}")  # too short to be anybody's number


def shown_name(name: str) -> str:
    """A field's name, `?` where a source made it up."""
    return name if name in _NAMES else MADE_UP


def shown_path(path: str) -> str:
    """A path with dots, with `?` for each part that a source made up; places in lists of ours are told."""
    parts = path.split(".")
    return ".".join(
        part if _INDEX.fullmatch(part) and _IN_A_LIST.fullmatch(".".join(parts[:place])) else shown_name(part)
        for place, part in enumerate(parts)
    )


def distinct(names: Iterable[str]) -> list[str]:
    """Shown names of the fields of one object, so that none hides another: `?`, `?2`, `?3`."""
    found, made_up = [], 0
    for name in map(shown_name, names):
        made_up += name == MADE_UP
        found.append(f"{name}{made_up}" if name == MADE_UP and made_up > 1 else name)
    return found

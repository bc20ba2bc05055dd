"""Which entries of the audit log are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from uuid import UUID

from pipeline.audit.actions import Action
from pipeline.audit.entry import Kind
from pipeline.errors import BadInput

_KINDS: tuple[str, ...] = get_args(Kind)
ABOUT = rf"^(({'|'.join(_KINDS)}):[^\x00]+|[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}})$"
"""What `about` may be."""


@dataclass(frozen=True, slots=True)
class AskedEntries:
    """Those of which all that is given holds; `since` <= at < `until`. `about` is the id of a profile, or of anything
    else that an entry may name, or the latter as an entry names it: `review:019c1f3a-...`."""

    actor: str | None = None
    actions: Sequence[Action] = ()
    about: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def parameters(self) -> dict[str, object]:
        """The parameters of the query `read_audit`, but for the page. Raises BadInput."""
        profile, objects = _about(self.about)
        return {
            "actor": self.actor,
            "actions": list(self.actions) or None,
            "profile": profile,
            "objects": objects,
            "since": self.since,
            "until": self.until,
        }


def _about(about: str | None) -> tuple[UUID | None, list[str] | None]:
    if about is None:
        return None, None
    kind, colon, rest = about.partition(":")
    if colon and kind in _KINDS and rest:
        return None, [about]
    try:
        found = UUID(about)
    except ValueError:
        kinds = ", ".join(_KINDS)
        raise BadInput(
            "about", f"send an id, or a kind and an id as in review:ID; kinds are {kinds}"
        ) from None
    return found, [f"{kind}:{found}" for kind in _KINDS]

"""An entry of the audit log: who did what, about whom, why, in which request. Free of personal data of customers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pipeline.audit.actions import Action
from pipeline.identity.ids import Id

Kind = Literal[
    "api_key",
    "dead_letter",
    "key_version",
    "merge_log",
    "migration",
    "model",
    "policy",
    "retention",
    "review",
    "shadow",
    "stage",
    "webhook",
]
"""What an entry may be about beside profiles."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """How an act came to us: in which request, by whose API key, and whether as one of several. Nothing of it where it
    did not come by way of the gateway."""

    request_id: str | None = None
    api_key: str | None = None
    in_bulk: bool = False
    api_key_id: str | None = None

    def by_key(self, actor: str) -> str:
        """The actor where no more than a text is kept: `ann by shop-app`. The last `by` is the key's, whatever the
        request says."""
        return actor if self.api_key in (None, actor) else f"{actor} by {self.api_key}"


UNTOLD = Occasion()


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is told. `objects` are what it was about beside profiles, as `named` writes them. `details` are JSON of
    text, whole numbers, truth values, lists and maps, and hold no value and no name of a customer."""

    action: Action
    actor: str
    at: datetime
    profiles: Iterable[Id] = ()
    objects: Iterable[str] = ()
    reason: str | None = None
    occasion: Occasion = UNTOLD
    details: Mapping[str, object] = field(default_factory=dict)


def named(kind: Kind, *ids: object) -> Iterator[str]:
    """Things of a kind as an entry names them: `review:019c1f3a-...`."""
    return (f"{kind}:{one}" for one in ids)

"""What an API key lets its holder do. No scope holds another one: a key has each that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from pipeline.errors import BadInput


class Scope(StrEnum):
    """A right that a route asks for."""

    INGEST = "ingest"
    READ = "read"
    READ_PII = "read:pii"
    STEWARD = "steward"
    ADMIN = "admin"
    AUDIT = "audit"
    PRIVACY = "privacy"


MEANINGS: Mapping[Scope, str] = {
    Scope.INGEST: "Send events.",
    Scope.READ: "Read profiles, explanations, changes, recommendations and live figures; identifiers are masked.",
    Scope.READ_PII: "With `read`: see identifiers as they are, where it is asked for (`reveal=true`).",
    Scope.STEWARD: "See reviews and merges, answer and undo them; with `read`, in what is told of a customer as well.",
    Scope.ADMIN: "See dead letters, mend, replay and drop them; add, change and remove webhooks.",
    Scope.AUDIT: "Read the audit log.",
    Scope.PRIVACY: "Export all that is known of a customer, in clear; forget customers, and see the receipts of it.",
}

EVERYTHING = frozenset(Scope)


def scopes_of(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes of these names, one at least. Raises BadInput that names the wrong one and those there are."""
    found: set[Scope] = set()
    for name in names:
        if name not in MEANINGS:
            raise BadInput("scope", f"{name!r} is none; there are {', '.join(Scope)}")
        found.add(Scope(name))
    if not found:
        raise BadInput("scope", f"name at least one of {', '.join(Scope)}")
    return frozenset(found)

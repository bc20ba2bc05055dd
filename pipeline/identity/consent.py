"""What customers said their data may be used for, and what holds of it: a pure function of all that was said.

Which record said what comes with the records, so that consent follows merges, splits and rollbacks by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class ConsentState(StrEnum):
    """What is said of a purpose."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


class Statement(NamedTuple):
    """A purpose granted or withdrawn at a time (aware), by way of a source."""

    purpose: str
    state: ConsentState
    at: datetime
    source: str


ANALYTICS, PERSONALISATION = "analytics", "personalisation"
"""The purposes that consumers of this house ask for. A policy that does not declare one leaves it granted."""

PURPOSES: Mapping[str, ConsentState] = {
    ANALYTICS: ConsentState.GRANTED,
    "marketing": ConsentState.WITHDRAWN,
    PERSONALISATION: ConsentState.GRANTED,
}
"""The shipped purposes, and what holds of each while nothing was said."""


def newest(statements: Iterable[Statement]) -> dict[str, Statement]:
    """What holds of all that was said, by purpose: the last word; of two at the same time the withdrawal.

    The order of the statements cannot matter, nor how often one comes; that of a union follows from those of its parts.
    """
    holds: dict[str, Statement] = {}
    for said in statements:
        stands = holds.get(said.purpose)
        if stands is None or _rank(said) > _rank(stands):
            holds[said.purpose] = said
    return dict(sorted(holds.items()))


def _rank(said: Statement) -> tuple[datetime, bool, str]:
    return said.at, said.state is ConsentState.WITHDRAWN, said.source


def allows(purpose: str, said: Mapping[str, ConsentState], purposes: Mapping[str, ConsentState]) -> bool:
    """Whether the purpose is granted, by what was said of each; `purposes` are those of the policy, with what holds
    while nothing was said."""
    return said.get(purpose, purposes.get(purpose, ConsentState.GRANTED)) is ConsentState.GRANTED

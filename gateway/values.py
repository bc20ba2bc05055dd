"""Tells a caller at once which values cannot be used, by the very function that the pipeline will apply later.

Names and addresses are left to the pipeline but for control characters and emoji: they take the longest.
Customers come back: what was validated, checked and encoded once is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple, cast

import orjson

from gateway.models import Warned
from pipeline.codes import EXPLANATIONS, ReasonCode
from pipeline.events import EventIn
from pipeline.field_errors import FieldError
from pipeline.identity.model import Issue
from pipeline.identity.normalize import NAME_TRAITS, TRAIT_NAMES, canonicalize
from pipeline.identity.policy import Policy
from pipeline.identity.text import has_unusual_characters
from pipeline.remembered import Remembered
from schemas.compiled import Encoded

_CHECKED = ("date_of_birth", "country")
_REFUSED = {
    ReasonCode.INVALID_PHONE: "send it in international form, such as +14155550132",
    ReasonCode.INVALID_EMAIL: "send name@domain",
    ReasonCode.INVALID_DATE: "send YYYY-MM-DD",
    ReasonCode.UNUSUAL_CHARACTERS: "send the name alone, without control characters and emoji",
    ReasonCode.DATE_IN_FUTURE: "send the date of birth as YYYY-MM-DD",
    ReasonCode.INVALID_IDENTIFIER: "leave it out where it is not known",
    ReasonCode.TOO_LONG: "send the value alone, at most 512 characters",
}


class Customer(NamedTuple):
    """What an event says of a customer, fit for events.raw, and the notes on it."""

    identifiers: Encoded
    traits: Encoded
    notes: tuple[Warned, ...]


def known_as(value: object, today: date, *, checked: bool) -> bytes | None:
    """What a customer is remembered by: what was sent, the day (a date of birth may lie ahead), whether it was checked.

    None where nothing like it can have been taken.
    """
    if not isinstance(value, dict):
        return None
    try:
        sent = orjson.dumps((value.get("identifiers"), value.get("traits"), today, checked))
    except orjson.JSONEncodeError:
        return None
    return Remembered.key(sent)


def without_customer(value: object) -> object:
    """An event without what is known of it already."""
    given = cast(Mapping[str, object], value)
    return {name: None if name in ("identifiers", "traits") else item for name, item in given.items()}


def issues_of(event: EventIn, policy: Policy, region: str, today: date) -> tuple[Issue, ...]:
    """What canonicalisation makes of the event's identifiers and date of birth; odd names; unknown traits."""
    identifiers = cast(Mapping[str, Sequence[str]], event.identifiers)  # its keys are some of all strings
    traits = {name: event.traits[name] for name in _CHECKED if name in event.traits}
    found = canonicalize(identifiers, traits, policy, region=region, today=today).issues
    odd = [n for n, v in event.traits.items() if n in NAME_TRAITS and has_unusual_characters(v)]
    unknown = [name for name in event.traits if name not in TRAIT_NAMES]
    return (
        *found,
        *(Issue(f"traits.{name}", ReasonCode.UNUSUAL_CHARACTERS) for name in odd),
        *(Issue(f"traits.{name}", ReasonCode.UNKNOWN_FIELD) for name in unknown),
    )


def unknown_purposes(event: EventIn, policy: Policy) -> tuple[Issue, ...]:
    """What the event says of purposes that the policy does not declare."""
    unknown = any(said.purpose not in policy.purposes for said in event.consent)
    return (Issue("consent.purpose", ReasonCode.UNKNOWN_PURPOSE),) if unknown else ()


def explained(reason: ReasonCode) -> str:
    """What a reason code says, as part of a sentence."""
    return EXPLANATIONS[reason].removesuffix(".")


def refusals(issues: tuple[Issue, ...]) -> list[FieldError]:
    """Errors for values that are certainly wrong."""
    return [
        FieldError(issue.field, explained(issue.reason), _REFUSED[issue.reason], issue.reason, issue.field)
        for issue in issues
        if issue.reason in _REFUSED
    ]


def warnings(issues: tuple[Issue, ...]) -> list[Warned]:
    """Notes on values that are taken, but name nobody."""
    return [
        Warned(field=issue.field, code=issue.reason, message=EXPLANATIONS[issue.reason])
        for issue in issues
        if issue.reason not in _REFUSED
    ]

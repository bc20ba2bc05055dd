"""What is wrong with a caller's input, field by field: what came, and what would do; never the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pydantic_core import ErrorDetails

from pipeline.codes import ReasonCode
from pipeline.errors import BadInput
from pipeline.event_fields import IdentifierName

MAX_ERRORS = 20
_IDENTIFIERS = frozenset(get_args(IdentifierName))

_REASONS = {
    "missing": ReasonCode.MISSING_FIELD,
    "too_many_identifiers": ReasonCode.TOO_MANY_IDENTIFIERS,
    "payload_too_large": ReasonCode.PAYLOAD_TOO_LARGE,
    "string_too_long": ReasonCode.TOO_LONG,
}
_TYPES = {type(None): "null", bool: "a boolean", int: "a number", float: "a number"}
_PROBLEMS = {
    "missing": "missing",
    "extra_forbidden": "unknown field",
    "literal_error": "a name that is not known",
}
_MENDS = {
    "missing": "it is required",
    "extra_forbidden": "leave it out, or put it into payload",
    "literal_error": "known are {expected}",
    "string_pattern_mismatch": "send text matching {pattern}",
    "string_too_long": "send at most {max_length} characters",
    "string_type": "send text",
    "list_type": "send text or a list of texts",
    "dict_type": "send a JSON object",
    "model_type": "send a JSON object",
    "uuid_parsing": "send a UUID, as it was given out",
    "int_parsing": "send a whole number",
    "int_from_float": "send a whole number",
    "bool_type": "send true or false",
    "greater_than_equal": "send at least {ge}",
    "less_than_equal": "send at most {le}",
    "datetime_from_date_parsing": "send a time such as 2026-01-31T12:00:00Z",
    "timezone_aware": "send it with its time zone, such as 2026-01-31T12:00:00Z",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field. `problem` says what came by type and size, `mend` what would do.

    `open_field` names no part that the caller made up (an unknown key may itself be personal): fit for logs.
    """

    field: str
    problem: str
    mend: str
    reason: ReasonCode
    open_field: str


class InvalidEvent(BadInput):
    """An event that is not one. `errors` holds at least one and at most MAX_ERRORS wrong fields."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(errors[0].open_field, f"{errors[0].problem}; {errors[0].mend}")
        self.errors = tuple(errors)

    @property
    def reason(self) -> ReasonCode:
        """The reason code of the first error."""
        return self.errors[0].reason

    @property
    def summary(self) -> str:
        """All errors in one line, fit for a dead letter."""
        return "; ".join(f"{e.open_field}: {e.problem}; {e.mend}" for e in self.errors)


def came(value: object) -> str:
    """A value by its JSON type and size."""
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    return _TYPES.get(type(value), type(value).__name__)


def field_errors(errors: Sequence[ErrorDetails]) -> tuple[FieldError, ...]:
    """The errors pydantic found as field errors, the first MAX_ERRORS of them."""
    return tuple(_field_error(error) for error in errors[:MAX_ERRORS])


def _field_error(error: ErrorDetails) -> FieldError:
    kind, context = error["type"], error.get("ctx", {})
    parts = [str(p) for p in error["loc"]]
    made_up = kind == "extra_forbidden" or (parts and parts[-1] == "[key]")
    parts = [p for p in parts if p != "[key]"]
    open_parts = [p if p.isidentifier() or p.isdigit() else "?" for p in parts]
    if made_up:
        open_parts[-1] = "?"
    elif len(parts) > 1 and (
        parts[0] == "traits" or (parts[0] == "identifiers" and parts[1] not in _IDENTIFIERS)
    ):
        open_parts[1] = "?"
    if "mend" in context:
        problem, mend = error["msg"], str(context["mend"])
    else:
        problem, mend = _standard(kind, context, error["input"], bool(made_up))
    return FieldError(
        ".".join(parts) or "event",
        problem,
        mend,
        _REASONS.get(kind, ReasonCode.SCHEMA_VIOLATION),
        ".".join(open_parts) or "event",
    )


def _standard(kind: str, context: Mapping[str, object], value: object, is_key: bool) -> tuple[str, str]:
    problem = "a name that is not allowed" if is_key else f"got {came(value)}"
    problem = _PROBLEMS.get(kind, problem)
    mend = _MENDS.get(kind, "send what the API's documentation shows")
    return problem, mend.format_map({name: str(item) for name, item in context.items()})

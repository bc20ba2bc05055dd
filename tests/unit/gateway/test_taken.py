"""What requests hold is taken as it is declared, and nothing that pydantic would make into it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.taken import Amount, Count, Flag, Moment, Time
from pipeline.field_errors import field_errors

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("taken", "value", "found"),
    [
        (Flag, True, True),
        (Amount, 1, 1.0),
        (Amount, 0.5, 0.5),
        (Count, 20, 20),
        (Count, 20.0, 20),
        (Moment, "2026-01-31T12:00:00Z", NOON),
        (Time, "2026-01-31T12:00:00", NOON),
    ],
)
def test_what_is_declared_is_taken(taken: object, value: object, found: object) -> None:
    assert TypeAdapter[object](taken).validate_python(value) == found


@pytest.mark.parametrize(
    ("taken", "value", "mend"),
    [
        (Flag, 1, "send true or false"),
        (Flag, "yes", "send true or false"),
        (Amount, True, "send a number"),
        (Amount, "0.5", "send a number"),
        (Count, True, "send a number"),
        (Count, "20", "send a number"),
        (Count, 0.5, "send a whole number"),
        (Moment, 1_769_860_800, "such as 2026-01-31T12:00:00Z"),
        (Moment, "0.5", "such as 2026-01-31T12:00:00Z"),
        (Moment, "2026-01-31T12:00:00", "with its time zone"),
        (Time, "1769860800", "such as 2026-01-31T12:00:00Z"),
        (Time, None, "such as 2026-01-31T12:00:00Z"),
    ],
)
def test_what_it_is_not_is_refused_with_the_mend(taken: object, value: object, mend: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter[object](taken).validate_python(value)
    (error,) = field_errors(refused.value.errors())
    assert mend in error.mend

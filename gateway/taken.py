"""What requests hold, taken just as the OpenAPI document says: pydantic by itself takes `"yes"` for true, true for 1,
and a number for a time, in seconds or in milliseconds as it seems to fit."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, Strict, StringConstraints
from pydantic_core import PydanticCustomError

_DATE = re.compile(r"\d{4}-")

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""Text that Postgres can hold."""
Why = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*[^\s\p{C}][^\x00]*$")]
"""A reason, with something in it that can be read: spaces and control characters explain nothing."""
Named = Annotated[str, Field(pattern=r"^[^\p{C}]{1,100}$")]
"""Somebody's name: kept with what they do."""
Flag = Annotated[bool, Strict()]


def _number(value: object) -> object:
    if isinstance(value, bool | str):
        raise PydanticCustomError("not_a_number", "no number", {"mend": "send a number"})
    return value


def _time(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    raise PydanticCustomError(
        "not_a_time", "no time as text", {"mend": "send a time such as 2026-01-31T12:00:00Z"}
    )


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


Amount = Annotated[float, BeforeValidator(_number)]
Count = Annotated[int, BeforeValidator(_number)]
Moment = Annotated[AwareDatetime, BeforeValidator(_time)]
Time = Annotated[datetime, BeforeValidator(_time), AfterValidator(_utc)]
"""UTC where it names no zone."""

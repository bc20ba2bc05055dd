"""Refusals as the gateway tells them."""

from __future__ import annotations

from pydantic import BaseModel, Field

from pipeline.codes import ErrorCode


class Detail(BaseModel):
    """One wrong field."""

    field: str = Field(description="Where it is, such as identifiers.phone.0.")
    problem: str = Field(description="What came, by type and size.")
    mend: str = Field(description="What would do.")


class Error(BaseModel):
    """What went wrong."""

    message: str
    code: ErrorCode
    request_id: str
    details: list[Detail] | None = Field(None, description="With VALIDATION_ERROR: each wrong field.")


class ErrorEnvelope(BaseModel):
    """The body of every answer from 400 on."""

    error: Error

"""What the audit log says of the request that an act came with."""

from __future__ import annotations

from starlette.requests import Request

from gateway.envelope import request_id_of
from gateway.rights import caller_of
from pipeline.audit.entry import Occasion


def occasion_of(request: Request) -> Occasion:
    """Its id, and whose key it came with, whoever it names as the actor."""
    caller = caller_of(request)
    return Occasion(request_id_of(request), caller.actor, api_key_id=caller.name)

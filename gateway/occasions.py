"""What the trail of stewards' acts says of the request that an act came with."""

from __future__ import annotations

from starlette.requests import Request

from gateway.envelope import request_id_of
from gateway.rights import caller_of
from pipeline.store.steward_actions import Occasion


def occasion_of(request: Request) -> Occasion:
    """Its id, and whose key it came with, whoever it names as the actor."""
    return Occasion(request_id_of(request), caller_of(request).actor)

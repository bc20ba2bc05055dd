"""What an act of a steward is asked with, and what the audit log says of the request it came with."""

from __future__ import annotations

from starlette.requests import Request

from gateway.envelope import request_id_of
from gateway.ports import ports_of
from gateway.rights import actor_of, caller_of
from gateway.unmerge_models import UnmergeRequest
from pipeline.audit.entry import Occasion
from pipeline.unmerge.asked import Asked


def occasion_of(request: Request) -> Occasion:
    """Its id, and whose key it came with, whoever it names as the actor."""
    caller = caller_of(request)
    return Occasion(request_id_of(request), caller.actor, api_key_id=caller.name)


def asked_by(request: Request, body: UnmergeRequest) -> Asked:
    """Who asks for what is rehearsed first, why and when, and what it is to come to."""
    now = ports_of(request).clock()
    actor, occasion = actor_of(request, body.actor), occasion_of(request)
    return Asked(actor, body.reason, now, body.dry_run, body.plan, occasion)

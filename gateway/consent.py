"""What a customer's data may be used for, and all that was said of it."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request

from gateway.customer_models import ConsentHistory, StatedConsent
from gateway.documentation import errors
from gateway.ports import ports_of
from gateway.rights import needs
from gateway.states import StateConsent, consent_shown
from gateway.survivors import led_to
from pipeline.api_keys.scope import Scope

router = APIRouter(prefix="/v1/profiles", tags=["profiles"], dependencies=[needs(Scope.READ)])

MOST_TOLD = 1_000


@router.get(
    "/{profile_id}/consent",
    responses=errors(400, 404, 503),
    summary="What a customer's data may be used for",
)
async def get_consent(request: Request, profile_id: UUID) -> ConsentHistory:
    """What holds of each purpose, and what was granted and withdrawn when and by way of which source, newest first.

    The newest word of all the customer's records holds; of two at the same time the withdrawal. So it follows merges
    and their rollbacks: what was said stays with the record that it was said by way of. Of what is committed.
    """
    ports = ports_of(request)
    async with ports.store.snapshot() as read:
        led = await led_to(read, profile_id)
        of = {"profile_id": led.profile_id}
        holds = await read.rows("customer_consent", of)
        said = await read.rows("customer_consent_history", {**of, "most": MOST_TOLD + 1})
    return ConsentHistory(
        **led._asdict(),
        consent=consent_shown([StateConsent.model_validate(row) for row in holds], ports.policy),
        history=[StatedConsent.model_validate(row) for row in said[:MOST_TOLD]],
        truncated=len(said) > MOST_TOLD,
    )

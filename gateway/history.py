"""A customer as it stood at a moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from gateway.customer_models import PastIdentifier, PastProfile, PastValue
from gateway.documentation import errors
from gateway.opening import Opened, shown
from gateway.ports import ports_of
from gateway.revealing import Reveal, in_clear, tell_shown
from gateway.rights import needs
from gateway.survivors import led_to
from gateway.taken import Moment
from pipeline.api_keys.scope import Scope
from pipeline.customer.history import Past
from pipeline.errors import BadInput
from pipeline.identity.ids import Id
from pipeline.identity.model import Identifier

router = APIRouter(prefix="/v1/profiles", tags=["profiles"], dependencies=[needs(Scope.READ)])


@router.get(
    "/{profile_id}/history", responses=errors(400, 404, 503), summary="A customer as it stood at a moment"
)
async def get_history(
    request: Request,
    profile_id: UUID,
    reveal: Reveal,
    as_of: Annotated[Moment, Query(description="With its zone, such as 2026-01-31T12:00:00Z.")],
) -> PastProfile:
    """Whom the id led to then, and the records, identifiers and golden record that this profile had.

    Told from the times at which events were committed and from the merge log, so that every merge, split and rollback
    since is taken back. Exact for each moment between two transactions since the last activation of a replay, after
    which `exact` is false; the golden record is made by the policy in force then. Versions of then are not kept.
    404 where the profile came later.
    """
    ports = ports_of(request)
    led = await led_to(ports.store, profile_id)
    if as_of > ports.clock():
        raise BadInput("as_of", "it lies ahead; send a time that has passed")
    past = await ports.readers.read(lambda reader: reader.past(Id(profile_id.bytes), as_of))
    then = UUID(bytes=past.profile_id)
    golden = _golden(past, reveal=reveal)
    if reveal or in_clear(golden or {}):
        await tell_shown(request, {then, *(UUID(bytes=p) for p in past.holders)}, reveal=reveal)
    notes = list(_notes(past))
    return PastProfile(
        profile_id=then,
        merged_from=profile_id if profile_id != then else None,
        leads_to=led.profile_id,
        as_of=as_of,
        created_at=past.created_at,
        record_count=len(past.records),
        record_ids=[UUID(bytes=r) for r in past.records],
        events=past.events,
        identifiers=_identifiers(past, reveal=reveal),
        golden_record=golden,
        exact=not notes,
        notes=notes,
    )


def _notes(past: Past) -> Iterator[str]:
    for at in past.reprocessed_at:
        yield f"what stood was replaced by a replay at {at.isoformat()}: events may have spoken of other records before"
    if past.golden is not None and (closed := len(past.records) - len(past.opened)):
        yield f"{closed} records cannot be opened any more: their keys were destroyed"
    if past.golden is None:
        yield "it has too many records to be opened: identifiers and golden record are left out"


def _identifiers(past: Past, *, reveal: bool) -> list[PastIdentifier]:
    seen: dict[Identifier, PastIdentifier] = {}
    for record, activity in past.opened:
        for identifier in record.identifiers:
            known = seen.get(identifier)
            seen[identifier] = PastIdentifier(
                type=identifier.type.value,
                value=shown(identifier, reveal=reveal),
                first_seen=min(activity.first_seen, known.first_seen) if known else activity.first_seen,
                last_seen=max(activity.last_seen, known.last_seen) if known else activity.last_seen,
            )
    return sorted(seen.values(), key=lambda i: (i.type, i.first_seen, i.value))


def _golden(past: Past, *, reveal: bool) -> dict[str, PastValue] | None:
    if past.golden is None:
        return None
    opened = {r.record_id: Opened(r.identifiers, r.traits, activity) for r, activity in past.opened}
    return {
        attribute: PastValue(
            value=opened[winner].value(attribute, reveal=reveal), record_id=UUID(bytes=winner)
        )
        for attribute, winner in sorted(past.golden.items())
    }

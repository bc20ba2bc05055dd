"""Customers by identifier, and their events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from gateway.customer_models import EventsPage
from gateway.documentation import errors
from gateway.links import about, leading_to, link
from gateway.models import Page, Profile
from gateway.paging import Paged
from gateway.ports import Ports, ports_of
from gateway.revealing import Reveal, tell_searched
from gateway.rights import needs
from gateway.rows import event_of
from gateway.sought import canonical, hashes_sought, invalid
from gateway.states import view
from gateway.survivors import led_to
from gateway.taken import Text
from pipeline.api_keys.scope import Scope
from pipeline.errors import NotFound
from pipeline.identity.model import Identifier
from pipeline.identity.normalize import MAX_VALUE

router = APIRouter(prefix="/v1/profiles", tags=["profiles"], dependencies=[needs(Scope.READ)])

Value = Annotated[Text | None, Query(max_length=MAX_VALUE)]


_SPLIT = link(
    "post_split",
    "What taking its newest event's record out would move.",
    {"profile_id": "$response.body#/profile_id"},
    {"reason": "a rehearsal", "events": ["$response.body#/data/0/event_id"], "dry_run": True},
)


@router.get(
    "",
    responses={**leading_to(about("$response.body#/data/0/profile_id")), **errors(400, 503)},
    summary="Customers by identifier",
)
async def find_profiles(
    request: Request,
    paging: Paged,
    reveal: Reveal,
    phone: Value = None,
    email: Value = None,
    loyalty_id: Value = None,
    crm_id: Value = None,
    whatsapp: Value = None,
    marketplace_id: Value = None,
    device_id: Value = None,
    cookie_id: Value = None,
) -> Page[Profile]:
    """The customers that hold every identifier given. A value is brought into canonical form and hashed, then
    looked up: no plaintext is stored or searched. What stands in an address may be logged on its way: send what names
    somebody to `POST /v1/profiles:search` instead."""
    ports = ports_of(request)
    given = {
        "phone": phone,
        "email": email,
        "loyalty_id": loyalty_id,
        "crm_id": crm_id,
        "whatsapp": whatsapp,
        "marketplace_id": marketplace_id,
        "device_id": device_id,
        "cookie_id": cookie_id,
    }
    wanted = _canonical(ports, {name: value for name, value in given.items() if value is not None})
    search = {**hashes_sought(ports.ring, wanted), "count": len(wanted)}
    rows = await ports.store.rows("find_profiles", {**search, **paging.window})
    total = await ports.store.rows("count_found_profiles", search)
    views: list[Profile] = []
    for row in rows:
        try:
            views.append(await view(ports, row["profile_id"], cached=False, reveal=reveal))
        except NotFound:  # erased between the two queries
            continue
    by = [identifier.type.value for identifier in wanted]
    await tell_searched(request, by, [found.profile_id for found in views], reveal=reveal)
    return paging.of(views, total[0]["total"])


def _canonical(ports: Ports, given: Mapping[str, str]) -> tuple[Identifier, ...]:
    if not given:
        raise invalid("query", "no identifier", "name at least one, such as ?phone=%2B14155550132")
    values = {name: [value] for name, value in given.items()}
    return canonical(ports, "", values, {}, "send a value that can name one customer").identifiers


@router.get(
    "/{profile_id}/events",
    responses={**leading_to({"rehearse_split": _SPLIT}), **errors(400, 404, 503)},
    summary="A customer's events",
)
async def get_events(request: Request, profile_id: UUID, paging: Paged) -> EventsPage:
    """Newest first. The id of a profile that was merged answers with the surviving one's events, and says so.
    `GET /v1/profiles/{profile_id}/timeline` reads on from where a page ended, however many there are."""
    async with ports_of(request).store.snapshot() as read:
        led = await led_to(read, profile_id)
        chosen = {"profile_id": led.profile_id}
        rows = await read.rows("read_events", {**chosen, **paging.window})
        total = await read.rows("count_events", chosen)
    page = paging.of([event_of(row) for row in rows], total[0]["total"])
    return EventsPage(**led._asdict(), data=page.data, pagination=page.pagination)

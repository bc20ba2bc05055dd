"""The household of a customer: whom it shares an address, a phone or a card with."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request

from gateway.customer_models import RelatedProfile, Relationships, SharedAttribute, Tie
from gateway.documentation import errors
from gateway.links import about, leading_to, link
from gateway.models import Profile
from gateway.ports import Ports, ports_of
from gateway.revealing import explained, tell_shown
from gateway.rights import needs
from gateway.states import view
from gateway.survivors import led_to
from pipeline.api_keys.scope import Scope
from pipeline.customer import relationships as core
from pipeline.errors import NotFound
from pipeline.explain import words
from pipeline.identity.ids import Id

router = APIRouter(prefix="/v1/profiles", tags=["profiles"], dependencies=[needs(Scope.READ)])


_APART = link(
    "explain",
    "Why two of them are two customers.",
    {"profile_id": "$response.body#/edges/0/source", "with": "$response.body#/edges/0/target"},
)


@router.get(
    "/{profile_id}/relationships",
    responses={
        **leading_to({"why_two": _APART, **about("$response.body#/edges/0/target", "profile")}),
        **errors(400, 404, 503),
    },
    summary="The household of a customer",
    dependencies=[Depends(explained)],
)
async def get_relationships(request: Request, profile_id: UUID) -> Relationships:
    """Customers that share its address, its phone or WhatsApp line, or its loyalty card, and what they share among each
    other, as nodes and edges.

    Looked up by keyed hashes and compared as matching compares. `GET /v1/profiles/{id}/explain?with=` says of two of
    them why they are two customers.
    """
    ports = ports_of(request)
    led = await led_to(ports.store, profile_id)
    found = await ports.readers.read(lambda reader: reader.household(Id(led.profile_id.bytes)))
    nodes = [await _node(ports, UUID(bytes=p), led.profile_id) for p in found.profiles]
    await tell_shown(request, [node.profile_id for node in nodes if node and node.name], reveal=False)
    there = {node.profile_id for node in nodes if node}
    return Relationships(
        **led._asdict(),
        nodes=[node for node in nodes if node],
        edges=[edge for edge in map(_tie, found.ties) if {edge.source, edge.target} <= there],
        left_out=found.left_out,
        overfull=list(found.overfull),
    )


async def _node(ports: Ports, profile_id: UUID, asked: UUID) -> RelatedProfile | None:
    try:
        seen = await view(ports, profile_id, cached=False)
    except NotFound:  # erased between the queries
        return None
    return RelatedProfile(
        profile_id=profile_id,
        name=_name(seen),
        record_count=seen.record_count,
        is_asked=profile_id == asked,
    )


def _name(seen: Profile) -> str | None:
    parts = (seen.golden_record.get(name) for name in ("first_name", "last_name"))
    return " ".join(p.value for p in parts if p and p.value) or None


def _tie(tie: core.Tie) -> Tie:
    return Tie(
        source=UUID(bytes=tie.low),
        target=UUID(bytes=tie.high),
        weight=sum(s.bits for s in tie.shared),
        shared=[
            SharedAttribute.model_validate(
                {**s._asdict(), "why": f"{words.attribute(s.attribute)}: {words.level(*s[:2], both=True)}"}
            )
            for s in tie.shared
        ],
    )

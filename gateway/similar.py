"""Customers who buy alike: the nearest by the vectors of `consumers/embeddings.py`, and what speaks for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from gateway.customer_models import InCommon, Similar, SimilarProfile
from gateway.documentation import errors
from gateway.links import about, leading_to
from gateway.ports import ports_of
from gateway.rights import needs
from gateway.store import Store
from gateway.survivors import led_to
from pipeline.api_keys.scope import Scope
from pipeline.customer.embedding import MOST_ORDERS, Bought, in_common

router = APIRouter(prefix="/v1/profiles", tags=["profiles"], dependencies=[needs(Scope.READ)])

MOST_TOLD = 10


@router.get(
    "/{profile_id}/similar",
    responses={
        **leading_to(about("$response.body#/data/0/profile_id", "profile")),
        **errors(400, 404, 503),
    },
    summary="Customers who buy alike",
)
async def get_similar(
    request: Request, profile_id: UUID, limit: Annotated[int, Query(ge=1, le=50)] = 10
) -> Similar:
    """The most alike first, by the cosine between what each of them bought: products and categories of the newest 1,000
    orders, the more often the heavier. Each names what both buy; who has nothing in common is not told.

    The vectors follow events, merges and splits within seconds; what is in common is of what is committed.
    """
    store = ports_of(request).store
    led = await led_to(store, profile_id)
    rows = await store.rows("similar_profiles", {"profile_id": led.profile_id, "limit": limit})
    bought = await _bought(store, [led.profile_id, *(row["profile_id"] for row in rows)])
    own = bought[led.profile_id]
    found = [_similar(row["profile_id"], row["similarity"], own, bought) for row in rows]
    return Similar(**led._asdict(), has_purchases=bool(own), data=[one for one in found if one.in_common])


async def _bought(store: Store, profiles: Sequence[UUID]) -> Mapping[UUID, Bought]:
    asked = {"profiles": list(profiles), "records": [], "most": MOST_ORDERS}
    rows = await store.rows("embeddings_bought", asked)
    return {row["profile_id"]: dict(zip(row["features"], row["orders"], strict=True)) for row in rows}


def _similar(profile: UUID, cosine: float, own: Bought, bought: Mapping[UUID, Bought]) -> SimilarProfile:
    common = in_common(own, bought[profile])
    told = [InCommon.model_validate(one) for one in common[:MOST_TOLD]]
    # of 32-bit numbers: the cosine of equals may come out beyond 1
    return SimilarProfile(
        profile_id=profile, similarity=min(1.0, cosine), in_common=told, in_common_total=len(common)
    )

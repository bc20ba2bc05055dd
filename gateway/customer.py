"""Customer 360: what is told of one customer beside the profile. Every route follows merges, and says so.

Figures stand in a resource of their own: `GET /v1/profiles/{id}` is asked hundreds of times a second and answered from
the cache, while sums over orders change with every order and are read from Postgres.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request

from gateway.customer_models import (
    CurrencySpending,
    Habit,
    IdentifierHistory,
    Identifiers,
    OpenReview,
    RfmScores,
    Summary,
)
from gateway.documentation import errors
from gateway.links import leading_to, link
from gateway.opening import hashed, opened_records, shown
from gateway.ports import Ports, ports_of
from gateway.revealing import Reveal, tell_shown
from gateway.rights import caller_of, needs
from gateway.survivors import led_to
from pipeline.api_keys.scope import Scope
from pipeline.customer.identifiers import HeldIdentifier, Holding, Move, with_history
from pipeline.customer.scores import WINDOW, Bounds, Spending, scores
from pipeline.identity.model import Identifier
from pipeline.settings import cuts

router = APIRouter(prefix="/v1/profiles", tags=["profiles"], dependencies=[needs(Scope.READ)])

MOST_EVENTS, MOST_REVIEWS, MOST_IDENTIFIERS, MOST_HABITS = 1_000, 100, 1_000, 20
_FOUND = errors(400, 404, 503)
_FIRST_REVIEW = "$response.body#/reviews/0/review_id"


@router.get(
    "/{profile_id}/summary",
    responses={
        **leading_to(
            {"review": link("get_review", "What a steward is asked.", {"review_id": _FIRST_REVIEW})}
        ),
        **_FOUND,
    },
    summary="A customer in figures",
)
async def get_summary(request: Request, profile_id: UUID) -> Summary:
    """Lifetime value and average basket by currency, recency, frequency and monetary scores, favourite categories,
    channels and stores, and the reviews that are open. Of what is committed, not of the cache.

    An order is an event that carries an amount or items. Sums are over all orders; categories, channels and stores
    over the newest 1,000 events. What the reviews ask is told to keys with the scope `steward`, to others how many
    there are.
    """
    ports = ports_of(request)
    now = ports.clock()
    async with ports.store.snapshot() as read:
        led = await led_to(read, profile_id)
        of = {"profile_id": led.profile_id}
        (activity,) = await read.rows("customer_activity", of)
        orders = await read.rows("customer_orders", {**of, "since": now - WINDOW})
        habits = await read.rows("customer_habits", {**of, "most": MOST_EVENTS})
        reviews = await read.rows("customer_reviews", {**of, "most": MOST_REVIEWS})
    spending = [Spending(**row) for row in orders]
    found = scores(spending, now, _bounds(ports))
    return Summary(
        **led._asdict(),
        **activity,
        orders=sum(s.orders for s in spending),
        lifetime_value=[CurrencySpending.model_validate(s) for s in spending],
        scores=None if found is None else RfmScores.model_validate(found),
        categories=_habits(habits, "category"),
        channels=_habits(habits, "channel"),
        stores=_habits(habits, "store"),
        events_considered=next(row["events"] for row in habits if row["what"] == "considered"),
        open_reviews=len(reviews),
        reviews=[_review(row) for row in reviews] if caller_of(request).holds(Scope.STEWARD) else [],
    )


def _bounds(ports: Ports) -> Bounds:
    given = ports.settings
    return Bounds(cuts(given.rfm_recency_days), cuts(given.rfm_orders), cuts(given.rfm_spent))


def _habits(rows: list[dict[str, object]], what: str) -> list[Habit]:
    return [Habit.model_validate(row) for row in rows if row["what"] == what][:MOST_HABITS]


def _review(row: Mapping[str, object]) -> OpenReview:
    other = None if row["kind"] == "split" else row["other_profile"]
    return OpenReview.model_validate({**row, "other_profile": other})


@router.get(
    "/{profile_id}/identifiers", responses=_FOUND, summary="A customer's identifiers and their history"
)
async def get_identifiers(request: Request, profile_id: UUID, reveal: Reveal) -> Identifiers:
    """Each with the records that hold it, the sources that sent it, when it was seen, and how it came: the merges,
    splits and rollbacks of this profile that moved records with it. Those that left with their records come last.

    Values are masked. When a decision moved a record between two other profiles is told there.
    """
    ports = ports_of(request)
    async with ports.store.snapshot() as read:
        led = await led_to(read, profile_id)
        of = {"profile_id": led.profile_id}
        moves = [
            Move(**{**row, "records": frozenset(row["records"])})
            for row in await read.rows("customer_moves", of)
        ]
        moved = list({record for move in moves for record in move.records})
        rows = await read.rows("customer_holdings", {**of, "records": moved})
        found = with_history(led.profile_id, (Holding(**row) for row in rows), moves, MOST_IDENTIFIERS + 1)
        told = found[:MOST_IDENTIFIERS]
        records = await read.rows("read_records", [list({i.records[0] for i in told})])
    opened = opened_records(ports.ring, records)
    values = hashed(ports.ring, opened, frozenset(i.hash_key_version for i in told))
    if reveal:
        await tell_shown(request, {led.profile_id}.union(*(i.profiles for i in told)), reveal=True)
    return Identifiers(
        **led._asdict(),
        identifiers=[_identifier(one, values, reveal=reveal) for one in told],
        truncated=len(found) > MOST_IDENTIFIERS,
    )


def _identifier(
    held: HeldIdentifier, values: Mapping[tuple[str, str], Identifier], *, reveal: bool
) -> IdentifierHistory:
    value = values.get((held.type, held.value_hash.hex()))
    told = {name: getattr(held, name) for name in IdentifierHistory.model_fields if name != "value"}
    return IdentifierHistory(value=None if value is None else shown(value, reveal=reveal), **told)

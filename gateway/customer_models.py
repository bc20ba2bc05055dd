"""What the gateway tells of one customer beside the profile itself."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, PlainSerializer

from gateway.models import Consent, Event, Page, Profile, View

Item = TypeVar("Item")
Money = Annotated[Decimal, PlainSerializer(float, return_type=float)]

_STEWARDS = "Null for keys without `steward`."
_PROFILE, _OTHER = "019c1f3a-52b1-7c44-9a51-6e0d5b3f2a10", "019c1f39-8e02-7b3d-8c4f-0a1b2c3d4e5f"
_RECORD, _MERGE = "2c26b46b-68ff-c68f-f99b-453c1d304134", "019c1f3a-5312-7d1e-8a02-3c4d5e6f7081"
_OF: dict[str, JsonValue] = {"profile_id": _PROFILE, "merged_from": None}


def shown(**example: JsonValue) -> ConfigDict:
    """The configuration of an answer with an example."""
    return ConfigDict(from_attributes=True, json_schema_extra={"example": example})


class OfProfile(View):
    """Of whom an answer speaks."""

    profile_id: UUID
    merged_from: UUID | None = Field(
        None, description="The id asked for, where it was merged into this profile."
    )


class CursorPage(View, Generic[Item]):
    """A page of a list that is paged by a cursor."""

    data: list[Item]
    next: str | None = Field(description="Send it as `cursor` for the page behind this one; null at the end.")


class EventsPage(Page[Event], OfProfile):
    """A page of a customer's events."""


class CurrencySpending(View):
    """The orders in one currency (ISO 4217; XXX: none was named). Refunds count against the total."""

    currency: str
    orders: int
    total: Money
    average: Money = Field(description="The average basket.")
    first_at: datetime
    last_at: datetime


class RfmScores(View):
    """Recency, frequency and monetary value, 1 to 5, by the fixed bounds of this deployment (`RB_RFM_*`; Hughes 1994,
    with the fixed bounds of Miglautsch 2000 for his quintiles): from the customer's own orders and the time alone."""

    recency: int = Field(ge=1, le=5)
    frequency: int = Field(ge=1, le=5)
    monetary: int = Field(ge=1, le=5)
    days_since_order: int
    orders: int = Field(description="Orders within 365 days.")
    spent: Money = Field(description="Spent within 365 days in `currency`.")
    currency: str = Field(description="The currency of most orders.")


class Habit(View):
    """A channel, store or category, and how many of the events considered named it."""

    name: str
    events: int
    orders: int
    quantity: float | None = Field(description="Of a category: pieces.")
    last_at: datetime


class OpenReview(View):
    """A question about this customer that waits for a steward. A split has no other profile."""

    review_id: UUID
    kind: Literal["merge", "split"]
    other_profile: UUID | None
    reason: str
    confidence_score: float
    created_at: datetime


class Summary(OfProfile):
    """A customer in figures."""

    model_config = shown(
        **_OF,
        first_seen="2025-02-11T09:30:00Z",
        last_seen="2026-01-31T09:30:00Z",
        sources=["pos", "web"],
        orders=3,
        lifetime_value=[
            {
                "currency": "USD",
                "orders": 3,
                "total": 149.7,
                "average": 49.9,
                "first_at": "2025-02-11T09:30:00Z",
                "last_at": "2026-01-31T09:30:00Z",
            }
        ],
        scores={
            "recency": 5,
            "frequency": 2,
            "monetary": 2,
            "days_since_order": 12,
            "orders": 3,
            "spent": 149.7,
            "currency": "USD",
        },
        categories=[
            {"name": "tea", "events": 3, "orders": 3, "quantity": 5.0, "last_at": "2026-01-31T09:30:00Z"}
        ],
        channels=[
            {"name": "web", "events": 9, "orders": 2, "quantity": None, "last_at": "2026-01-31T09:30:00Z"}
        ],
        stores=[
            {"name": "soma", "events": 1, "orders": 1, "quantity": None, "last_at": "2025-11-02T16:05:00Z"}
        ],
        events_considered=10,
        open_reviews=0,
        reviews=[],
    )

    first_seen: datetime | None = Field(description="Null of a profile that has no records any more.")
    last_seen: datetime | None
    sources: list[str]
    orders: int = Field(description="Events that carry an amount or items, in all currencies.")
    lifetime_value: list[CurrencySpending] = Field(description="By currency, that of most orders first.")
    scores: RfmScores | None = Field(description="Null where nothing was ever ordered.")
    categories: list[Habit] = Field(description="The favourite first: by orders that hold it.")
    channels: list[Habit]
    stores: list[Habit]
    events_considered: int = Field(
        description="How many events categories, channels and stores were counted over: the newest 1,000 at most."
    )
    open_reviews: int = Field(description="How many open reviews there are; no more than 100 are counted.")
    reviews: list[OpenReview] = Field(
        description="Open reviews, the likeliest first, 100 at most; empty for keys without `steward`."
    )


class WholeProfile(Profile):
    """One customer, and where it was asked for, in figures."""

    summary: Summary | None = Field(None, description="With `include=summary`.")


class EventEntry(View):
    """An event, at the time it happened."""

    kind: Literal["event"] = "event"
    at: datetime
    event: Event

    def for_readers(self) -> EventEntry:
        """The same."""
        return self


class DecisionEntry(View):
    """A merge, a split or a rollback."""

    kind: Literal["merged", "split", "rolled_back"]
    at: datetime
    merge_log_id: UUID
    source_profile: UUID
    target_profile: UUID
    records: list[UUID] = Field(description="The identity records that moved.")
    confidence_score: float | None
    actor: str | None = Field(description=_STEWARDS)
    reason: str | None = Field(description=_STEWARDS)
    rolled_back: bool

    def for_readers(self) -> DecisionEntry:
        """Without who decided, and why."""
        return self.model_copy(update={"actor": None, "reason": None})


class SaidOfRecords(View):
    """A constraint: its left records are, or are not, one customer with its right ones."""

    constraint_id: UUID
    kind: Literal["must_link", "cannot_link"]
    left_records: list[UUID]
    right_records: list[UUID]
    revoked_at: datetime | None


class ActionEntry(View):
    """What a steward said: the answer to a review, or a constraint by itself, as of a rollback; or that it is taken
    back (`review_revoked`, `constraint_revoked`)."""

    kind: Literal[
        "review_approved",
        "review_rejected",
        "must_link",
        "cannot_link",
        "review_revoked",
        "constraint_revoked",
    ]
    at: datetime
    actor: str | None = Field(description=_STEWARDS)
    reason: str | None = Field(description=_STEWARDS)
    review_id: UUID | None
    review_kind: Literal["merge", "split"] | None
    constraints: list[SaidOfRecords] = Field(
        description="They name records of other customers: empty for keys without `steward`."
    )

    def for_readers(self) -> ActionEntry:
        """Without who said it, why, and of whose records."""
        return self.model_copy(update={"actor": None, "reason": None, "constraints": []})


class QueueEntry(View):
    """A review that was given to a steward, or to nobody, or put aside for a while."""

    kind: Literal["review_assigned", "review_skipped"]
    at: datetime
    actor: str | None = Field(description=_STEWARDS)
    reason: str | None = Field(description=_STEWARDS)
    review_id: UUID
    review_kind: Literal["merge", "split"]
    assigned_to: str | None = Field(description=_STEWARDS)
    skipped_until: datetime | None

    def for_readers(self) -> QueueEntry:
        """Without who did it, why, and whose it is."""
        return self.model_copy(update={"actor": None, "reason": None, "assigned_to": None})


Entry = Annotated[EventEntry | DecisionEntry | ActionEntry | QueueEntry, Field(discriminator="kind")]


class Timeline(CursorPage[Entry], OfProfile):
    """What happened to a customer, newest first."""

    model_config = shown(
        **_OF,
        data=[
            {
                "kind": "merged",
                "at": "2026-01-31T09:31:00Z",
                "merge_log_id": _MERGE,
                "source_profile": _OTHER,
                "target_profile": _PROFILE,
                "records": [_RECORD],
                "confidence_score": 0.97,
                "actor": "resolve",
                "reason": "automatic",
                "rolled_back": False,
            }
        ],
        next=None,
    )


class IdentifierMove(View):
    """A decision that brought records with the identifier into this profile, or took them out of it."""

    merge_log_id: UUID
    kind: Literal["merged", "split", "rolled_back"]
    decided_at: datetime
    source_profile: UUID
    target_profile: UUID


class IdentifierHistory(View):
    """An identifier and its way to this customer, or from it."""

    type: str
    value: str | None = Field(description="Masked; null where its key was destroyed.")
    current: bool = Field(description="False: its records were moved away, `moves` says when and where to.")
    first_seen: datetime
    last_seen: datetime
    sources: list[str]
    records: list[UUID] = Field(description="The identity records that hold it.")
    moves: list[IdentifierMove] = Field(description="Oldest first.")


class Identifiers(OfProfile):
    """All identifiers of a customer: those it holds, then those that left it."""

    model_config = shown(
        **_OF,
        identifiers=[
            {
                "type": "email",
                "value": "a…@postbox.io",
                "current": True,
                "first_seen": "2025-02-11T09:30:00Z",
                "last_seen": "2026-01-31T09:30:00Z",
                "sources": ["pos", "web"],
                "records": [_RECORD],
                "moves": [],
            }
        ],
        truncated=False,
    )

    identifiers: list[IdentifierHistory]
    truncated: bool = Field(description="There are more than the 1,000 that are told.")


class PastIdentifier(View):
    """An identifier that a profile held then; seen until then."""

    type: str
    value: str = Field(description="Masked.")
    first_seen: datetime
    last_seen: datetime


class PastValue(View):
    """The value of an attribute that won then, and the identity record it comes from."""

    value: str | None
    record_id: UUID


class PastProfile(View):
    """A profile as it stood at a moment."""

    model_config = shown(
        profile_id=_PROFILE,
        merged_from=_OTHER,
        leads_to=_PROFILE,
        as_of="2026-01-31T12:00:00Z",
        created_at="2025-02-11T09:30:00Z",
        record_count=1,
        record_ids=[_RECORD],
        events=4,
        identifiers=[
            {
                "type": "email",
                "value": "a…@postbox.io",
                "first_seen": "2025-02-11T09:30:00Z",
                "last_seen": "2026-01-31T09:30:00Z",
            }
        ],
        golden_record={"first_name": {"value": "ann", "record_id": _RECORD}},
        exact=True,
        notes=[],
    )

    profile_id: UUID = Field(description="The profile that the id asked for led to then.")
    merged_from: UUID | None = Field(
        description="The id asked for, where it was merged into that profile then."
    )
    leads_to: UUID = Field(description="The profile that the id asked for leads to now.")
    as_of: datetime
    created_at: datetime
    record_count: int
    record_ids: list[UUID]
    events: int = Field(description="Events of its records that were committed by then.")
    identifiers: list[PastIdentifier]
    golden_record: dict[str, PastValue] | None = Field(
        description="By the policy that was in force then; null of more than 1,000 records."
    )
    exact: bool = Field(description="False where something of then is not kept: `notes` say what.")
    notes: list[str]


class RelatedProfile(View):
    """A customer of a household: the name it goes by, and how many records it has."""

    profile_id: UUID
    name: str | None = Field(
        description="First and last name of the golden record, as `GET /v1/profiles` tells it."
    )
    record_count: int
    is_asked: bool = Field(description="The customer that was asked about.")


class SharedAttribute(View):
    """What two customers share. `bits`: the log2 weight it would have for their being one person."""

    attribute: Literal["address", "phone", "loyalty_id"]
    level: str
    why: str = Field(description="The same in words.")
    bits: float


class Tie(View):
    """Two customers and what they share. `with`/`explain` of both says why they are two."""

    source: UUID
    target: UUID
    weight: float = Field(description="The sum of the bits.")
    shared: list[SharedAttribute] = Field(description="The weightiest first.")


class Relationships(OfProfile):
    """A household as a graph."""

    model_config = shown(
        **_OF,
        nodes=[
            {"profile_id": _PROFILE, "name": "ann lee", "record_count": 2, "is_asked": True},
            {"profile_id": _OTHER, "name": "bob lee", "record_count": 1, "is_asked": False},
        ],
        edges=[
            {
                "source": _OTHER,
                "target": _PROFILE,
                "weight": 12.5,
                "shared": [{"attribute": "phone", "level": "exact", "why": "phone: the same", "bits": 12.5}],
            }
        ],
        left_out=0,
        overfull=[],
    )

    nodes: list[RelatedProfile]
    edges: list[Tie]
    left_out: int = Field(
        description="More customers share something: no more than 25 are told, those who share most."
    )
    overfull: list[str] = Field(description="What too many people share to tell who lives together.")


class InCommon(View):
    """A product or category that both buy, and how many of the newest 1,000 orders of each hold it."""

    kind: Literal["sku", "category"]
    name: str
    orders: int
    others_orders: int


class StatedConsent(View):
    """A purpose granted or withdrawn, by an event."""

    purpose: str
    state: Literal["granted", "withdrawn"]
    at: datetime
    source: str
    event_id: UUID
    record_id: UUID = Field(description="The identity record by way of which it was said.")


class ConsentHistory(OfProfile):
    """What a customer's data may be used for, and all that was said of it."""

    model_config = shown(
        **_OF,
        consent=[
            {"purpose": "marketing", "state": "granted", "at": "2026-01-31T09:30:00Z", "source": "web"},
            {"purpose": "personalisation", "state": "granted", "at": None, "source": None},
        ],
        history=[
            {
                "purpose": "marketing",
                "state": "granted",
                "at": "2026-01-31T09:30:00Z",
                "source": "web",
                "event_id": "4f6d1f0e-63f5-4a86-9c86-1f1f0c0b7a11",
                "record_id": _RECORD,
            }
        ],
        truncated=False,
    )

    consent: list[Consent] = Field(
        description="Of each purpose that the policy declares, or that anything was said of."
    )
    history: list[StatedConsent] = Field(description="The newest first, 1,000 at most.")
    truncated: bool = Field(description="More was said than is told.")


class SimilarProfile(View):
    """A customer who buys alike."""

    profile_id: UUID
    similarity: float = Field(description="The cosine between what both bought: 1 where it is the same.")
    in_common: list[InCommon] = Field(description="What speaks for it, the heaviest first, 10 at most.")
    in_common_total: int = Field(description="How much there is in common.")


class Similar(OfProfile):
    """Customers who buy alike, the most alike first."""

    model_config = shown(
        **_OF,
        has_purchases=True,
        data=[
            {
                "profile_id": _OTHER,
                "similarity": 0.83,
                "in_common": [
                    {"kind": "sku", "name": "T-1", "orders": 3, "others_orders": 1},
                    {"kind": "category", "name": "tea", "orders": 3, "others_orders": 2},
                ],
                "in_common_total": 2,
            }
        ],
    )

    has_purchases: bool = Field(
        description="False: the customer bought nothing that was named, so nobody can buy alike."
    )
    data: list[SimilarProfile]

"""What the gateway answers, as types: the OpenAPI document and the client libraries are made from these."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gateway.error_models import Error
from gateway.taken import Named, Why

Item = TypeVar("Item")


class View(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(from_attributes=True)


class Pagination(View):
    """Where a page lies in its list."""

    page: int = Field(description="From 1.")
    limit: int
    total: int
    total_pages: int


class Page(View, Generic[Item]):
    """A page of a list."""

    data: list[Item]
    pagination: Pagination


class Warned(View):
    """A value that was taken but left out: kept out of matching, or of no declared purpose."""

    field: str
    code: str = Field(description="A reason code.")
    message: str


class Accepted(View):
    """The broker has the event. With `Prefer: wait=N` and status 200, `profile_id` is whom it was linked to."""

    event_id: UUID = Field(description="The id the event is stored under; sent again, it is the same event.")
    request_id: str
    correlation_id: str
    warnings: list[Warned] = Field(default_factory=list)
    profile_id: UUID | None = Field(None, description="Status 200 only; null where the event names nobody.")


class BatchItem(View):
    """What became of one event of a batch."""

    index: int
    status: int = Field(description="The HTTP status this event alone would have got.")
    event_id: UUID | None = None
    error: Error | None = None
    warnings: list[Warned] = Field(default_factory=list)


class BatchAccepted(View):
    """A result for each event, in the order of the batch."""

    request_id: str
    accepted: int
    refused: int
    results: list[BatchItem]


class MaskedIdentifier(View):
    """An identifier a profile holds. `value` is masked unless revealed; null where its key was destroyed."""

    type: str
    value: str | None
    first_seen: datetime
    last_seen: datetime


class GoldenValue(View):
    """The value of an attribute that won, and the identity record it comes from. Identifiers and ids of
    governments are masked unless revealed."""

    value: str | None
    record_id: UUID
    decided_by: str | None = Field(
        None,
        description="What decided for this value: agreed (the records do not differ), trust, frequency, completeness, "
        "recency, spelling (the commonest one), or record_id where all else is equal. Null where not all records "
        "of the profile can be opened, or the policy changed since.",
    )


class Consent(View):
    """Whether a purpose is granted. `at` and `source` are null where nothing was said: the policy tells then."""

    purpose: str
    state: Literal["granted", "withdrawn"]
    at: datetime | None
    source: str | None


class Profile(View):
    """One customer."""

    profile_id: UUID
    merged_from: UUID | None = Field(
        None, description="The id asked for, where it was merged into this profile."
    )
    version: int
    status: str
    created_at: datetime
    updated_at: datetime
    record_count: int
    record_ids: list[UUID]
    identifiers: list[MaskedIdentifier]
    golden_record: dict[str, GoldenValue]
    consent: list[Consent] = Field(
        description="Of each purpose that the policy declares, or that anything was said of."
    )


class Order(View):
    """What was bought."""

    amount: float | None
    currency: str | None
    items: list[dict[str, object]]


class Event(View):
    """An event of a profile, without what the source sent in plaintext."""

    event_id: UUID
    record_id: UUID | None
    occurred_at: datetime
    accepted_at: datetime
    committed_at: datetime
    source: str
    event_type: str
    channel: str | None
    store: str | None
    order: Order | None
    decision: str
    reasons: list[str]
    request_id: str | None
    correlation_id: str | None


class MergeLog(View):
    """A merge, a split or a rollback, with the evidence it rests on."""

    merge_log_id: UUID
    kind: str
    source_profile: UUID
    target_profile: UUID
    records: list[UUID] = Field(description="The identity records that moved.")
    confidence_score: float | None
    scoring_details: object = Field(description="The evidence: level and log2 weight of each attribute.")
    model_version: str
    policy_version: str
    actor: str
    reason: str
    decided_at: datetime
    rolled_back: bool
    rolled_back_at: datetime | None
    rolled_back_by: UUID | None = Field(
        description="The entry that undid it; none where it had come apart before it was undone with others."
    )


class MergeLogDetail(MergeLog):
    """A merge with both profiles as they stood before it."""

    source_snapshot: object
    target_snapshot: object


class StewardRequest(View):
    """Why a steward undoes a merge or answers a review so."""

    model_config = ConfigDict(extra="forbid")

    reason: Why = Field(
        examples=["father and son share a phone"],
        description="Kept in the merge log and the constraint.",
    )
    actor: Named | None = Field(None, description="Who decided; not given, the API key's name.")


class Dependency(View):
    """A server the gateway needs."""

    available: bool
    required: bool
    detail: str | None = None


class PausedStage(View):
    """A stage that handles nothing until somebody lets it go on (`retail-brain stage resume`)."""

    stage: str
    since: datetime
    reason: str


class DisabledWebhook(View):
    """A webhook that the house sends nothing to any more, until somebody enables it."""

    webhook_id: UUID
    since: datetime
    reason: str


class Readiness(View):
    """ready: all answer. degraded: Redis is away, limits are local and reads slower; or a stage is paused: events are
    taken and kept, and processed once it is resumed; or a webhook was disabled, as it failed. unavailable: HTTP 503."""

    status: str
    dependencies: dict[str, Dependency]
    paused: list[PausedStage] = Field(default_factory=list)
    disabled_webhooks: list[DisabledWebhook] = Field(default_factory=list)


class Suggestion(View):
    """An item. Of popular items the score is the number of profiles that own them."""

    sku: str
    score: float
    because: str | None = Field(description="The owned item that speaks for it most.")


class Recommendations(View):
    """What a customer may like, best first."""

    profile_id: UUID
    items: list[Suggestion]
    fallback: bool = Field(description="Nothing goes with the customer's items yet: this is what is popular.")
    withheld: bool = Field(
        description="The customer does not consent to `personalisation`: there are no items."
    )


class Figures(View):
    """Sums of one window; revenue by ISO 4217 currency (XXX: none was named)."""

    events: int
    orders: int
    revenue: dict[str, float]
    profiles: int


class Group(View):
    """The figures of one channel and store; an empty store: events that name none."""

    channel: str
    store: str
    figures: Figures


class LiveWindow(View):
    """Events with start <= occurred_at < end."""

    start: datetime
    end: datetime
    total: Figures
    groups: list[Group]


class LiveInsights(View):
    """The newest windows, newest first."""

    window: str
    newest_event_at: datetime | None
    windows: list[LiveWindow]

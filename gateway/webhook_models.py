"""Webhooks as the gateway takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, WithJsonSchema

from gateway.models import View
from gateway.taken import Amount, Flag, Named, Text, Time
from pipeline.changes.wanted import NAMES
from pipeline.store.webhooks import ChosenDeliveries

MOST_TYPES = 50
Type = Annotated[str, WithJsonSchema({"type": "string", "enum": [*NAMES]})]
Types = Annotated[
    list[Type],
    Field(
        max_length=MOST_TYPES,
        examples=[["profile.*", "identity.merged"]],
        description="Types of changes, `profile.*` being all that begin so; none: all.",
    ),
]
_URL = "Public, and https://. Every connection is checked anew; redirects are not followed."
Url = Annotated[
    Text, Field(min_length=1, max_length=2_000, examples=["https://example.com/hooks"], description=_URL)
]
Begin = Literal["earliest", "latest"]


class WebhookRequest(View):
    """Who is to be told of what."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    types: Types = Field(default_factory=list)
    description: Text = Field("", max_length=500)
    begin: Begin = Field(
        "latest",
        alias="from",
        description="What is sent first: what comes from now on, or all that the topics hold.",
    )
    actor: Named | None = Field(
        None,
        description="Who adds it; kept as `ann by` and the API key's name, not given as the name alone.",
    )


class WebhookChange(View):
    """What is to be changed; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    types: list[Type] | None = Field(
        None, max_length=MOST_TYPES, description="Topics that are new begin now."
    )
    description: Text | None = Field(None, max_length=500)
    enabled: Flag | None = Field(None, description="Enabled again, it goes on where it stood.")
    begin: Begin | None = Field(
        None, alias="from", description="Go on from there, and leave out or send again what lies between."
    )


class Rotation(View):
    """How long the secret before is to stay valid."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: Amount = Field(24, ge=0, le=720)


class Webhook(View):
    """Who is told of which changes where."""

    webhook_id: UUID
    url: str
    types: list[str]
    description: str
    created_by: str
    created_at: datetime
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None = Field(description="Why the house disabled it; null where somebody did.")
    dead_in_a_row: int = Field(
        description="Deliveries that failed for good since the last one that was accepted."
    )
    dead: int = Field(description="Dead deliveries, which wait to be replayed.")
    previous_until: datetime | None = Field(
        description="Until then what is sent is signed by the secret before, too."
    )


class WebhookSecret(View):
    """A webhook and its secret, which is told this once."""

    webhook: Webhook
    secret: str = Field(
        description="`whsec_` and base64: the key of HMAC-SHA256.", examples=["whsec_C2FVsBQIhrscChlQIMV+"]
    )


class Tried(View):
    """What became of a test message. No content of the answer is kept."""

    accepted: bool
    http_status: int | None
    error: str | None
    seconds: float


class Delivery(View):
    """A message to a webhook, and what became of it. failing: it is tried again, and what is behind it of the same
    profiles waits; replaying: it is sent again; dead: it failed for good."""

    delivery_id: UUID
    change_id: str = Field(description="The `webhook-id` it is sent under, however often.")
    type: str
    status: Literal["failing", "delivered", "dead", "replaying"]
    attempts: int
    first_at: datetime
    last_at: datetime
    next_at: datetime | None
    http_status: int | None
    error: str | None


class DeliveryDetail(Delivery):
    """With what is sent."""

    body: object


class ReplayChoice(View):
    """All that is given must hold; `since` <= last_at < `until`. {}: all that were delivered or are dead."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["delivered", "dead"] | None = None
    since: Time | None = None
    until: Time | None = None
    dry_run: Flag = Field(False, description="Say how many, and do nothing.")

    @property
    def choice(self) -> ChosenDeliveries:
        """The same for the store."""
        return ChosenDeliveries(self.status, self.since, self.until)


class Replaying(View):
    """How many are sent again, or in a dry run would be."""

    deliveries: int
    dry_run: bool = False

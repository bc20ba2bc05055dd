"""What the routes need, put together once by `gateway.server` or by a test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

from redis.asyncio import Redis
from starlette.requests import Request

from gateway.audit_log import AuditLog
from gateway.auth import Keys
from gateway.feed.feed import Feed
from gateway.key_uses import KeyUses
from gateway.limiter import Limiter
from gateway.producer import Sender
from gateway.profile_reads import ProfileReads
from gateway.quotas import Quotas
from gateway.readers import Readers
from gateway.store import Store
from gateway.values import Customer
from gateway.waiters import Waiters
from pipeline.answer import Answer, Answered
from pipeline.answer_many import ToAnswer
from pipeline.dead_letters.desk import Desk
from pipeline.erasure.erase import Erased
from pipeline.errors import RetailBrainError
from pipeline.events import Limits
from pipeline.explain.report import Report
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.joining import Joined
from pipeline.privacy.keyring import KeyRing
from pipeline.remembered import Remembered
from pipeline.revoking import Revoked
from pipeline.seen import Seen
from pipeline.settings import Settings
from pipeline.store.reviews import StoredReview
from pipeline.store.steward_actions import Occasion
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.bulk import Chosen
from pipeline.unmerge.outcome import Unmerged
from pipeline.webhooks.desk import WebhookDesk
from schemas.codec import Codec


class Steward(Protocol):
    """Acts on a steward's word; blocks. Raises NotFound, Conflict, PreconditionFailed, BadInput, StoreUnavailable,
    TransactionConflict."""

    def rollback(self, merge_log_id: Id, asked: Asked) -> Unmerged:
        """Undo one merge."""

    def rollback_many(self, chosen: Chosen, asked: Asked) -> list[Unmerged]:
        """Undo all merges that were chosen."""

    def take_out(
        self, profile: Id, records: Collection[Id], events: Collection[Id], asked: Asked
    ) -> Unmerged:
        """Take records out of a profile."""

    def join(self, profiles: Sequence[Id], asked: Asked) -> Joined:
        """Make profiles one customer."""

    def erase(self, profile: Id, asked: Asked) -> Erased:
        """Forget a customer."""

    def revoke(self, constraint_id: Id, asked: Asked, seen: Seen) -> Revoked:
        """Take back what was said, if it is as it was seen."""

    def answer(
        self, review_id: Id, answer: Answer, actor: str, reason: str, seen: Seen, occasion: Occasion
    ) -> Answered:
        """Answer one review, if it is as it was seen."""

    def answer_many(
        self, asked: Sequence[ToAnswer], answer: Answer, actor: str, reason: str, occasion: Occasion
    ) -> list[Answered | RetailBrainError]:
        """Answer many reviews, each for itself."""

    def assign(
        self,
        review_id: Id,
        to: str | None,
        actor: str,
        reason: str | None,
        seen: Seen,
        occasion: Occasion,
    ) -> StoredReview:
        """Give a review to somebody, or to nobody."""

    def skip(
        self, review_id: Id, until: datetime, actor: str, reason: str, seen: Seen, occasion: Occasion
    ) -> StoredReview:
        """Put a review aside."""


class Export(Protocol):
    """All that is known of one person, as pieces of one document; blocks. Raises NotFound, StoreUnavailable."""

    def __call__(self, profile: Id, actor: str) -> Generator[bytes, None, None]:
        """The document of a profile that stands, asked for by `actor`."""


class Explain(Protocol):
    """Explains a profile, or why it is one with another; values masked. Raises NotFound, BadInput, StoreUnavailable."""

    async def __call__(self, one: Id, other: Id | None) -> Report:
        """Why the records of one profile are one customer, or why two are or are not."""

    def close(self) -> None:
        """Let go of its connection."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Settings, servers, and the clock and ids that a test may fix."""

    settings: Settings
    limits: Limits
    keys: Keys
    key_store: Store
    key_uses: KeyUses
    limiter: Limiter
    quotas: Quotas
    codec: Codec
    ring: KeyRing
    policy: Policy
    sender: Sender
    store: Store
    redis: Redis
    profiles: ProfileReads
    waiters: Waiters
    feed: Feed
    customers: Remembered[Customer]
    steward: Steward
    explain: Explain
    export: Export
    readers: Readers
    audit: AuditLog
    desk: Callable[[], AbstractContextManager[Desk]]
    webhooks: Callable[[], AbstractContextManager[WebhookDesk]]
    clock: Callable[[], datetime]
    new_id: Callable[[], Id]


def ports_of(request: Request) -> Ports:
    """The ports of the app that serves the request."""
    return cast(Ports, request.app.state.ports)

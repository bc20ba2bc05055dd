"""Where webhooks are added, changed and looked after; command line and API have no rules of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from pipeline.audit.actions import Action
from pipeline.audit.entry import UNTOLD, AuditEntry, Occasion, named
from pipeline.changes.change import Place
from pipeline.changes.kinds import ChangeType
from pipeline.changes.reader import Bounds, bounds
from pipeline.changes.wanted import Wanted, types_of
from pipeline.errors import BadInput, Conflict
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import seal
from pipeline.settings import Settings
from pipeline.store.audit import write_audit
from pipeline.store.data_keys import own_data_keys
from pipeline.store.database import Database, Transaction
from pipeline.store.roles import Role, as_role
from pipeline.store.webhooks import (
    Webhook,
    missing,
    place,
    read_webhook,
    read_webhooks,
    stage_of,
)
from pipeline.webhooks.deliveries import DeliveryDesk
from pipeline.webhooks.keyed import Keyed, keyed, secret_context
from pipeline.webhooks.signing import new_secret, told
from pipeline.webhooks.targets import LookUp, Target, TargetRefused, addresses, look_up, target_of

Begin = Literal["earliest", "latest"]


@dataclass(frozen=True, slots=True)
class Added:
    """A webhook and its secret, which is told this once."""

    webhook: Webhook
    secret: str = field(repr=False)


class _Stood(NamedTuple):
    """What a change met; `counted`: deliveries that had failed, which who enables it forgets."""

    url: str
    types: Sequence[str]
    description: str
    enabled: bool
    counted: bool


class WebhookDesk:
    """Webhooks on one connection. Not for use by several threads. Everything raises RetryLater, and NotFound where
    there is no such webhook."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        settings: Settings,
        *,
        resolve: LookUp = look_up,
        held: Callable[[Collection[str]], dict[Place, Bounds]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`held` tells what the log holds of topics."""
        self._database = database
        self._ring = ring
        self._settings = settings
        self._resolve = resolve
        self._held = held or (lambda topics: bounds(settings, topics, "webhook-bounds"))
        self._clock = clock
        self.deliveries = DeliveryDesk(database, clock)

    def add(
        self,
        url: str,
        types: Sequence[str],
        description: str,
        actor: str,
        begin: Begin = "latest",
        occasion: Occasion = UNTOLD,
    ) -> Added:
        """A new webhook. Raises BadInput (url, type); Conflict where there are as many as may be."""
        host = self.check(url).host
        wanted = Wanted(types_of(types))
        position = self._position(wanted.topics, begin)
        webhook_id, secret = new_id(), new_secret()
        with self._database.transaction() as tx:
            tx.run("lock_webhooks")
            if read_webhooks(tx, 0)[1] >= self._settings.webhook_max:
                raise Conflict(
                    f"there are {self._settings.webhook_max} webhooks; remove one (RB_WEBHOOK_MAX)"
                )
            parameters = {
                "webhook": webhook_id,
                "url": url,
                "types": sorted(wanted.types),
                "description": description,
                "actor": occasion.by_key(actor),
                "at": self._clock(),
                "secret": self._sealed(tx, webhook_id, secret),
            }
            tx.run("add_webhook", parameters)
            place(tx, webhook_id, self._settings.topic_prefix, position)
            details = {"host": host, "types": sorted(wanted.types)}
            self._tell(tx, Action.WEBHOOK_ADDED, webhook_id, actor, occasion, **details)
            return Added(read_webhook(tx, webhook_id), told(secret))

    def check(self, url: str) -> Target:
        """The parts of a URL that may be sent to now. Raises BadInput, which says why not."""
        private = self._settings.webhook_allow_private
        target = target_of(url, allow_private=private)
        try:
            addresses(target, allow_private=private, resolve=self._resolve)
        except TargetRefused as exc:
            raise BadInput("url", f"{exc}; name a public host") from exc
        return target

    def change(
        self,
        webhook_id: Id,
        *,
        actor: str,
        url: str | None = None,
        types: Sequence[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
        begin: Begin | None = None,
        occasion: Occasion = UNTOLD,
    ) -> Webhook:
        """Change what is given. `begin` has it delivered to from there; topics of types that are new are from now on.
        Enabled, it goes on where it stood. Raises BadInput (url, type)."""
        host = None if url is None else self.check(url).host
        wanted = None if types is None else Wanted(types_of(types))
        with self._database.transaction() as tx:
            parameters = {
                "webhook": webhook_id,
                "url": url,
                "types": None if wanted is None else sorted(wanted.types),
                "description": description,
                "enabled": enabled,
                "at": self._clock(),
            }
            row = tx.row("change_webhook", parameters)
            if row is None:
                raise missing(webhook_id)
            stood = _Stood(*row)
            before = Wanted(frozenset(map(ChangeType, stood.types)))
            self._move(tx, webhook_id, before, wanted or before, begin)
            changed: dict[str, object] = {} if begin is None else {"from": begin}
            if url not in (None, stood.url):
                changed["host"] = host
            if wanted not in (None, before):
                changed["types"] = parameters["types"]
            if description not in (None, stood.description):
                changed["description"] = True
            if enabled not in (None, stood.enabled) or (enabled and stood.counted):
                changed["enabled"] = enabled
            if changed:
                self._tell(tx, Action.WEBHOOK_CHANGED, webhook_id, actor, occasion, **changed)
            return read_webhook(tx, webhook_id)

    def _move(
        self, tx: Transaction, webhook_id: Id, before: Wanted, after: Wanted, begin: Begin | None
    ) -> None:
        new = after.topics if begin else tuple(topic for topic in after.topics if topic not in before.topics)
        if new:
            place(tx, webhook_id, self._settings.topic_prefix, self._position(new, begin or "latest"))
        if begin or after != before:
            tx.run("forget_failing", {"webhook": webhook_id, "wanted": [] if begin else sorted(after.types)})

    def _position(self, topics: Sequence[str], begin: Begin) -> dict[Place, int]:
        return {place: b.low if begin == "earliest" else b.high for place, b in self._held(topics).items()}

    def _tell(
        self,
        tx: Transaction,
        action: Action,
        webhook_id: Id,
        actor: str,
        occasion: Occasion,
        **details: object,
    ) -> None:
        objects = named("webhook", webhook_id)
        entry = AuditEntry(action, actor, self._clock(), (), objects, None, occasion, details)
        write_audit(tx, entry)

    def rotate(self, webhook_id: Id, overlap: timedelta, actor: str, occasion: Occasion = UNTOLD) -> Added:
        """Another secret; the one before stays valid for so long, and both sign meanwhile."""
        secret = new_secret()
        with self._database.transaction() as tx:
            parameters = {
                "webhook": webhook_id,
                "secret": self._sealed(tx, webhook_id, secret),
                "until": self._clock() + overlap,
            }
            if not tx.run("rotate_webhook", parameters):
                raise missing(webhook_id)
            self._tell(
                tx, Action.WEBHOOK_ROTATED, webhook_id, actor, occasion, former_until=parameters["until"]
            )
            return Added(read_webhook(tx, webhook_id), told(secret))

    def remove(self, webhook_id: Id, actor: str, occasion: Occasion = UNTOLD) -> None:
        """It is told of nothing more, and nothing of it is kept."""
        with self._database.transaction() as tx:
            if tx.row("remove_webhook", {"webhook": webhook_id, "stage": stage_of(webhook_id)}) is None:
                raise missing(webhook_id)
            self._tell(tx, Action.WEBHOOK_REMOVED, webhook_id, actor, occasion)

    def listed(self, limit: int, offset: int = 0) -> tuple[tuple[Webhook, ...], int]:
        """A page of webhooks, the oldest first, and how many there are."""
        with self._database.transaction() as tx:
            return read_webhooks(tx, limit, offset)

    def found(self, webhook_id: Id) -> Webhook:
        """One webhook."""
        with self._database.transaction() as tx:
            return read_webhook(tx, webhook_id)

    def keyed(self, webhook_id: Id) -> Keyed:
        """What delivering to it needs."""
        with self._database.transaction() as tx:
            return keyed(tx, self._ring, webhook_id)

    def _sealed(self, tx: Transaction, webhook_id: Id, secret: bytes) -> bytes:
        (key,) = own_data_keys(tx, self._ring, [webhook_id])
        return seal(key, secret, secret_context(webhook_id))


@contextmanager
def webhook_desk(settings: Settings, ring: KeyRing, application: str) -> Iterator[WebhookDesk]:
    """A desk on a connection of its own."""
    with Database(as_role(settings, Role.OPERATOR), application) as database:
        yield WebhookDesk(database, ring, settings)

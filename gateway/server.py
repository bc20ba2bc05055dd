"""The gateway's process: real ports, uvicorn, and an orderly end on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import threading
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from socket import socket

import uvicorn
from redis.asyncio import BlockingConnectionPool, Redis

from gateway.app import create_app
from gateway.audit_log import AuditLog
from gateway.audit_writer import AuditWriter
from gateway.auth import ApiKeys
from gateway.connection import HeadBounds, within
from gateway.feed.feed import Feed
from gateway.key_uses import KeyUses
from gateway.limiter import RedisLimiter
from gateway.ports import Ports
from gateway.producer import KafkaSender, Sender
from gateway.profile_reads import ProfileReads
from gateway.quotas import Quotas
from gateway.readers import Readers
from gateway.store import Store
from gateway.stored_keys import StoredKeys
from gateway.waiters import Waiters
from pipeline import metrics
from pipeline.answer import Answer, Answered, answer_review
from pipeline.answer_many import ToAnswer, answer_many
from pipeline.api_keys.configured import configured
from pipeline.api_keys.stored import StoredKey, key_of, note_used
from pipeline.configuration import load_model, load_policy
from pipeline.customer.reading import CustomerReader
from pipeline.dead_letters.desk import desk
from pipeline.erasure.erase import Erased, erase_person
from pipeline.errors import ReadersBusy, RetailBrainError
from pipeline.events import Limits
from pipeline.explain.report import Report
from pipeline.explain.service import Explainer
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.ids import new_id
from pipeline.joining import Joined, join_profiles
from pipeline.log import configure, get_logger
from pipeline.portability.document import Exporting, person_export
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.remembered import Remembered
from pipeline.review_queue import assign_review, skip_review
from pipeline.revoking import Revoked, revoke_constraint
from pipeline.seen import Seen
from pipeline.settings import Settings
from pipeline.steward import Stewardship
from pipeline.store.database import Database
from pipeline.store.reviews import StoredReview
from pipeline.store.roles import Role, as_role
from pipeline.store.steward_actions import Occasion
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.bulk import Chosen, rollback_many
from pipeline.unmerge.outcome import Unmerged
from pipeline.unmerge.rollback import rollback_merge
from pipeline.unmerge.taking_out import take_out
from pipeline.webhooks.desk import webhook_desk
from schemas.codec import RAW_TOPIC, Codec, load_codec

_DRAIN_S = 5
MOST_EXPORTS = 4
_REDIS_CONNECTIONS = 64
_REDIS_WAIT_S = 0.5


class _Steward:
    """Each act on a connection of its own."""

    def __init__(self, settings: Settings, ring: KeyRing, codec: Codec, model: Model, policy: Policy) -> None:
        self._settings = settings
        self._ring = ring
        self._codec = codec
        self._policy = policy
        self._model = model

    def rollback(self, merge_log_id: Id, asked: Asked) -> Unmerged:
        """Undo one merge."""
        with self._acting() as by:
            return rollback_merge(by, merge_log_id, asked)

    def rollback_many(self, chosen: Chosen, asked: Asked) -> list[Unmerged]:
        """Undo all merges that were chosen."""
        with self._acting() as by:
            return rollback_many(by, chosen, asked)

    def take_out(
        self, profile: Id, records: Collection[Id], events: Collection[Id], asked: Asked
    ) -> Unmerged:
        """Take records out of a profile."""
        with self._acting() as by:
            return take_out(by, profile, records, events, asked)

    def join(self, profiles: Sequence[Id], asked: Asked) -> Joined:
        """Make profiles one customer."""
        with self._acting() as by:
            return join_profiles(by, profiles, asked)

    def erase(self, profile: Id, asked: Asked) -> Erased:
        """Forget a customer."""
        with self._acting(Role.ERASER) as by:
            return erase_person(by, profile, asked)

    def revoke(self, constraint_id: Id, asked: Asked, seen: Seen) -> Revoked:
        """Take back what was said, if it is as it was seen."""
        with self._acting() as by:
            return revoke_constraint(by, constraint_id, asked, seen=seen)

    def answer(
        self, review_id: Id, answer: Answer, actor: str, reason: str, seen: Seen, occasion: Occasion
    ) -> Answered:
        """Answer one review, if it is as it was seen."""
        with self._acting() as by:
            now = datetime.now(UTC)
            return answer_review(by, review_id, answer, actor, reason, now, seen=seen, occasion=occasion)

    def answer_many(
        self, asked: Sequence[ToAnswer], answer: Answer, actor: str, reason: str, occasion: Occasion
    ) -> list[Answered | RetailBrainError]:
        """Answer many reviews, each for itself."""
        with self._acting() as by:
            return answer_many(by, asked, answer, actor, reason, datetime.now(UTC), occasion)

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
        with self._acting() as by:
            now = datetime.now(UTC)
            return assign_review(by, review_id, to, actor, reason, now, seen=seen, occasion=occasion)

    def skip(
        self, review_id: Id, until: datetime, actor: str, reason: str, seen: Seen, occasion: Occasion
    ) -> StoredReview:
        """Put a review aside."""
        with self._acting() as by:
            now = datetime.now(UTC)
            return skip_review(by, review_id, until, actor, reason, now, seen=seen, occasion=occasion)

    @contextlib.contextmanager
    def _acting(self, role: Role = Role.STEWARD) -> Iterator[Stewardship]:
        with Database(as_role(self._settings, role), "gateway-steward") as database:
            yield Stewardship(database, self._ring, self._codec, self._model, self._policy)


class _Explain:
    """On a thread and a connection of its own: one at a time, so that they take no more than their share."""

    def __init__(self, settings: Settings, ring: KeyRing) -> None:
        self._database = Database(as_role(settings, Role.GATEWAY), "gateway-explain")
        self._explainer = Explainer(self._database, ring)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explain")

    async def __call__(self, one: Id, other: Id | None) -> Report:
        """Explain one profile, or two."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, one, other)

    def _run(self, one: Id, other: Id | None) -> Report:
        return self._explainer.profile(one) if other is None else self._explainer.pair(one, other)

    def close(self) -> None:
        """Let go of the connection, once the explanation under way is told."""
        self._thread.submit(self._database.close)
        self._thread.shutdown(wait=False)


def _clock() -> datetime:
    return datetime.now(UTC)


def _keys(settings: Settings, store: Store, uses: KeyUses) -> ApiKeys:
    async def read() -> list[StoredKey]:
        rows = await store.rows("api_keys", {"everything": False, "now": _clock()})
        return [key_of(tuple(row.values())) for row in rows]

    given = configured(settings.api_keys.get_secret_value())
    if not given:
        get_logger().warning("RB_API_KEYS is empty: only keys of the database open the gateway")
    return ApiKeys(given, StoredKeys(read, settings.api_key_patience_s), uses.note, _clock)


def _keep_uses(settings: Settings, used: Mapping[str, datetime]) -> None:
    dsn = as_role(settings, Role.GATEWAY)
    with Database(dsn, "gateway-keys") as database, database.transaction() as tx:
        note_used(tx, used)


class Exports:
    """Documents of persons, no more than MOST_EXPORTS at once: each holds a connection and a thread as long as its
    reader takes."""

    def __init__(self, settings: Settings, ring: KeyRing, codec: Codec, policy: Policy) -> None:
        self._dsn = as_role(settings, Role.GATEWAY)
        self._with = ring, codec, policy
        self._free = threading.BoundedSemaphore(MOST_EXPORTS)

    def __call__(self, profile: Id, actor: str) -> Generator[bytes, None, None]:
        """As Export says. Raises ReadersBusy with the first piece."""
        if not self._free.acquire(blocking=False):
            raise ReadersBusy(f"{MOST_EXPORTS} others are given all that is known of somebody; try again")
        try:
            with Database(self._dsn, "gateway-export") as database:
                yield from person_export(Exporting(database, *self._with, actor, datetime.now(UTC)), profile)
        finally:
            self._free.release()


def _reader(settings: Settings, ring: KeyRing, model: Model, policy: Policy) -> CustomerReader:
    database = Database(as_role(settings, Role.GATEWAY), "gateway-reader")
    return CustomerReader(database, ring, model, policy)


def redis_of(settings: Settings) -> Redis:
    """Redis, over so many connections. Who finds them all taken waits a moment: it is busy then, not away."""
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        max_connections=_REDIS_CONNECTIONS,
        timeout=_REDIS_WAIT_S,
        socket_timeout=_REDIS_WAIT_S,
        socket_connect_timeout=_REDIS_WAIT_S,
        decode_responses=True,
    )
    return Redis.from_pool(pool)


def make_ports(settings: Settings, sender: Sender) -> Ports:
    """The ports of a running gateway. Raises ConfigurationError, RegistryUnavailable."""
    ring, codec, policy = load_key_ring(settings), load_codec(settings), load_policy(settings)
    model = load_model(settings)
    redis = redis_of(settings)
    dsn = as_role(settings, Role.GATEWAY)
    store = Store(dsn)
    # of its own: no caller keeps their key from being read by queries that take every connection
    key_store = Store(dsn, "gateway-keys", connections=1)
    uses = KeyUses(partial(_keep_uses, settings), _clock)
    return Ports(
        settings=settings,
        limits=Limits.of(settings),
        keys=_keys(settings, key_store, uses),
        key_store=key_store,
        key_uses=uses,
        limiter=RedisLimiter(redis),
        quotas=Quotas(settings, ring.naming),
        codec=codec,
        ring=ring,
        policy=policy,
        sender=sender,
        store=store,
        redis=redis,
        profiles=ProfileReads(redis, store),
        waiters=Waiters(store.profiles_of),
        feed=Feed(settings, codec),
        customers=Remembered(settings.record_cache_size),
        steward=_Steward(settings, ring, codec, model, policy),
        explain=_Explain(settings, ring),
        export=Exports(settings, ring, codec, policy),
        readers=Readers(partial(_reader, settings, ring, model, policy)),
        audit=AuditLog(AuditWriter(as_role(settings, Role.AUDIT))),
        desk=partial(desk, settings, ring, codec, "gateway-desk"),
        webhooks=partial(webhook_desk, settings, ring, "gateway-webhooks"),
        clock=_clock,
        new_id=new_id,
    )


class _Server(uvicorn.Server):
    """Ends with status 0 on SIGTERM and SIGINT, and lets those go at once who wait for a resolution or for changes."""

    def __init__(self, config: uvicorn.Config, ports: Ports, sender: KafkaSender) -> None:
        super().__init__(config)
        self._ports = ports
        self._sender = sender

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to serve, the producer's reports as well."""
        self._sender.start()
        await super().startup(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals while serving; uvicorn's own would raise them again afterwards."""
        before = {s: signal.signal(s, self.handle_exit) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop taking requests, answer those in flight."""
        self._ports.waiters.stop()
        self._ports.feed.stop()
        await super().shutdown(sockets)


def _collect_rarely() -> None:
    """A batch makes tens of thousands of objects that die by themselves: looking for cycles among them after each
    700 took half of the time of validation."""
    gc.freeze()
    gc.set_threshold(50_000, 10, 50)


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; what was begun is answered within five seconds."""
    configure(settings, "gateway")
    metrics.serve(settings)
    sender = KafkaSender(settings, RAW_TOPIC)
    try:
        ports = make_ports(settings, sender)
        config = uvicorn.Config(
            create_app(ports),
            host=settings.gateway_host,
            port=settings.gateway_port,
            loop="uvloop",
            http=within(HeadBounds(settings.max_header_bytes, settings.header_timeout_ms / 1_000)),
            ws="none",
            timeout_keep_alive=settings.keep_alive_s,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=_DRAIN_S,
            backlog=2048,
        )
        _collect_rarely()
        get_logger().info("gateway starts", host=settings.gateway_host, port=settings.gateway_port)
        _Server(config, ports, sender).run()
    finally:
        sender.close()
    get_logger().info("gateway ended")

"""Both stages on a real Postgres without Kafka: what one publishes the other is handed, message by message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import orjson
from psycopg.rows import TupleRow

from pipeline.answer import Answer, Answered, answer_review
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.normalize_stage import NormalizeStage
from pipeline.privacy.keyring import KeyRing
from pipeline.resolve_stage import ResolveStage
from pipeline.revoking import Revoked, revoke_constraint
from pipeline.settings import Settings
from pipeline.steward import Stewardship
from pipeline.store.database import Database
from pipeline.store.roles import Role, as_role
from pipeline.stream.batch import Batch, Message, batch_of
from pipeline.stream.positions import load_positions
from pipeline.stream.publish import MemoryPublisher
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.outcome import Unmerged
from pipeline.unmerge.rollback import rollback_merge
from schemas.codec import load_codec
from tests.support.people import model, policy, ring

EventIn = Mapping[str, object]
_ROLES = (Role.NORMALIZE, Role.RESOLVE, Role.STEWARD, Role.ERASER)


class StagesOnPostgres:
    """`send` events of the HTTP shape and look at what stands afterwards: as the owner, where the stages may only what
    they may."""

    def __init__(
        self,
        dsn: str,
        settings: Settings | None = None,
        rules: Policy | None = None,
        keys: KeyRing | None = None,
    ) -> None:
        self.settings = settings or Settings.model_validate({"postgres_dsn": dsn})
        self.keys = keys or ring()
        self.database = Database(dsn, "test")
        self._acting = {role: Database(as_role(self.settings, role), "test") for role in _ROLES}
        self.codec = load_codec(self.settings)
        self.publisher = MemoryPublisher()
        self.rules = rules or policy()
        self.deploy(self.rules)
        self._offsets = {"events.raw": 0, "events.normalized": 0}

    def worker(self, database: Database) -> ResolveStage:
        """A resolve stage by the rules of now."""
        return ResolveStage(self.settings, database, self.keys, self.codec, model(), self.rules)

    def deploy(self, rules: Policy) -> None:
        """Both stages by other rules, as processes that were started anew."""
        self.rules = rules
        normalize, resolve = self._acting[Role.NORMALIZE], self._acting[Role.RESOLVE]
        self.normalize = NormalizeStage(
            self.settings, normalize, self.publisher, self.keys, self.codec, rules
        )
        self.resolve = self.worker(resolve)

    def send(self, *events: EventIn, batch: int = 1000) -> None:
        """Send events through both stages, `batch` at a time."""
        for i in range(0, len(events), batch):
            self.deliver(self.normalized(*events[i : i + batch]))

    def normalized(self, *events: EventIn) -> list[bytes]:
        """What the normalize stage makes of events."""
        return self.normalized_bytes(*map(orjson.dumps, events))

    def normalized_bytes(self, *values: bytes) -> list[bytes]:
        """The same of raw events as they are encoded."""
        raw = [self._message("events.raw", None, value) for value in values]
        published = len(self.publisher.log)
        self.normalize.handle(self.batch("normalize", raw))
        self.normalize.settle()
        return [o.value for o in self.publisher.log[published:] if o.value is not None]

    def deliver(self, values: Sequence[bytes]) -> None:
        """Hand normalized events to resolve."""
        if values:
            self.resolve.handle(self.to_resolve(values))

    def to_resolve(self, values: Sequence[bytes]) -> Batch:
        """The next batch for resolve, of normalized events."""
        return self.batch("resolve", [self._message("events.normalized", None, v) for v in values])

    def batch(self, stage: str, messages: Sequence[Message]) -> Batch:
        """A batch from the position that is stored."""
        place = (messages[0].topic, messages[0].partition)
        with self.database.transaction() as tx:
            stored = load_positions(tx, stage, [place]).get(place)
        return batch_of(messages, {place: stored})

    def _message(self, topic: str, key: bytes | None, value: bytes) -> Message:
        offset = self._offsets[topic]
        self._offsets[topic] = offset + 1
        return Message(topic, 0, offset, datetime.now(UTC), key, value)

    def rows(self, query: str, *parameters: object) -> list[TupleRow]:
        """Rows of any query of a test."""
        with self.database.transaction() as tx:
            return tx.connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def profiles(self) -> set[frozenset[str]]:
        """The events of each live profile, by the last three digits of their ids."""
        found: dict[Id, set[str]] = {}
        for event_id, profile in self.rows(
            "SELECT e.event_id, r.profile_id FROM event e JOIN identity_record r USING (record_id)"
        ):
            found.setdefault(profile, set()).add(str(event_id)[-3:])
        return {frozenset(events) for events in found.values()}

    def outbox(self, topic: str) -> list[dict[str, object]]:
        """Decoded messages waiting for the relay, in order."""
        rows = self.rows("SELECT payloads FROM outbox WHERE topic = %s ORDER BY outbox_id", topic)
        return [self.codec.decode(topic, payload) for (payloads,) in rows for payload in payloads]

    def rollback(self, merge_log_id: Id, reason: str = "wrong person", *, rehearse: bool = False) -> Unmerged:
        """Undo a merge."""
        now = datetime.now(UTC)
        return rollback_merge(self.stewardship(), merge_log_id, Asked("steward", reason, now, rehearse))

    def answer(self, review_id: Id, answer: Answer, reason: str = "I know them") -> Answered:
        """Answer a review."""
        return answer_review(self.stewardship(), review_id, answer, "steward", reason, datetime.now(UTC))

    def revoke(self, constraint_id: Id, reason: str = "it was wrong", *, rehearse: bool = False) -> Revoked:
        """Take back what was said."""
        asked = Asked("steward", reason, datetime.now(UTC), rehearse)
        return revoke_constraint(self.stewardship(), constraint_id, asked)

    def stewardship(self, role: Role = Role.STEWARD) -> Stewardship:
        """What acts on a steward's word, by the rules of now: under his role, unless another is named."""
        return Stewardship(self._acting[role], self.keys, self.codec, model(), self.rules)

    def review(self, kind: str = "merge") -> Id:
        """The one review of its kind that waits."""
        ((found,),) = self.rows(
            "SELECT review_id FROM review_queue WHERE status = 'pending' AND kind = %s", kind
        )
        review: Id = found
        return review

    def close(self) -> None:
        """Close the connections."""
        for database in (self.database, *self._acting.values()):
            database.close()


def event(number: int, identifiers: Mapping[str, object] | None = None, **more: object) -> EventIn:
    """An event of the HTTP shape with a readable id. `traits` and `payload` by name; `minute` sets its time."""
    minute = more.pop("minute", number)
    assert isinstance(minute, int)
    return {
        "source": "web",
        "event_type": "page_view",
        "event_id": f"00000000-0000-4000-8000-{number:012d}",
        "occurred_at": f"2026-01-01T{minute // 60:02d}:{minute % 60:02d}:00Z",
        "identifiers": identifiers or {},
        **more,
    }

"""From a batch of normalized events to profiles, decisions and messages, inside one transaction.

The order of the steps: claim the event ids, tell known records from new ones, find and lock the neighbourhood, settle
it, write, announce. Everything that decides is pure and lives in pipeline/identity. Both the resolve stage and a replay
(pipeline/replay) go through here, so that they decide alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import cast

from pipeline.announce import Announcer, versions_of
from pipeline.audit.decided import tell_decided
from pipeline.codes import ReasonCode
from pipeline.errors import BadMessage
from pipeline.identity.ids import Id
from pipeline.identity.model import CanonicalRecord, IdentityRecord
from pipeline.identity.normalize import deserialize
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.settle import settle
from pipeline.ids import new_id
from pipeline.matching import Arrival, gather, known_behind_locks
from pipeline.normalized_event import Event, arrival_of, content_under, hashed_content
from pipeline.outcome import EVENT_TYPES, NOBODY, Outcome, count, event_row, linked_event, outcomes_of
from pipeline.ports import Known
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import open_sealed
from pipeline.store.consent import state
from pipeline.store.database import Transaction
from pipeline.store.identity_store import OverfullKeys, PostgresIdentityStore, RecordCache
from pipeline.store.identity_writer import Author, HashedContent, IdentityWriter, LoggedMerge
from pipeline.store.key_versions import KeyVersions
from pipeline.store.rekeyed import Rehashed, rehashed
from pipeline.store.review_writer import ReviewWriter
from schemas.codec import Codec

STAGE = "resolve"


class Resolver:
    """Decides by one model and policy. One thread."""

    def __init__(
        self, ring: KeyRing, codec: Codec, model: Model, policy: Policy, cached_records: int
    ) -> None:
        self._ring = ring
        self._codec = codec
        self._model = model
        self._policy = policy
        self._cache = RecordCache(ring, cached_records)
        self._overfull = OverfullKeys()
        self._new_id: Callable[[], Id] = new_id
        self.versions = KeyVersions(ring.file.named_by)
        """Under which versions of the keys hashes stand: whoever begins a transaction says so."""
        self.meanwhile: Callable[[], None] = lambda: None

    def forget_limits(self) -> None:
        """Ask again which keys are over-full: an activation may have taken that back."""
        self._overfull = OverfullKeys()

    def store(self, tx: Transaction) -> PostgresIdentityStore:
        """What stands, in a transaction."""
        overfull = self._overfull.of(tx.connection)
        return PostgresIdentityStore(tx, self._cache, overfull, self.meanwhile, self.versions)

    def contents(self, tx: Transaction, events: Sequence[Event]) -> dict[Id, bytes]:
        """The serialized record that each of these events carries, by the raw event. They name somebody."""
        return unsealed(tx, self._ring, events)

    def tell(self, tx: Transaction, logged: Sequence[LoggedMerge], author: Author) -> None:
        """Have the audit log tell of what was merged and split."""
        tell_decided(tx, logged, author)

    def resolve(self, tx: Transaction, events: Sequence[Event]) -> Callable[[], None]:
        """All effects of a batch; returns what counts them. Raises BadMessage, TransactionConflict."""
        fresh = self._claim(tx, events)
        if not fresh:
            return lambda: None
        now = datetime.now(UTC)
        author = Author(STAGE, None, self._model.version, self._policy.version, now, self._new_id)
        store = self.store(tx)
        by_record: defaultdict[Id, list[Event]] = defaultdict(list)
        for event in fresh:
            if event.record_id is not None:
                by_record[event.record_id].append(event)
        arrivals = {r: arrival_of(es) for r, es in by_record.items()}
        seen, hashed = self._split(tx, store, arrivals, by_record)
        known = {r: arrivals[r] for r in seen}
        new = self._open(tx, {r: arrivals[r] for r in hashed}, hashed, by_record)
        found = gather(new, known, seen, store, self._model, self._policy)
        settlement = settle(found.neighbourhood, self._model, self._policy, self._new_id, now)
        writer = IdentityWriter(tx, self._ring, author)
        logged = writer.merge_log(settlement.decisions, found.neighbourhood, settlement)
        writer.new_records(hashed, found, settlement)
        announcer = Announcer(tx, self._codec, author)
        outcomes = outcomes_of(arrivals, new, found, settlement)
        homes = {r: settlement.moves.get(r) or found.known[r].profile_id for r in arrivals}
        versions = {k.profile_id: k.version for k in found.known.values()}
        versions |= {p: after.version for p, after in settlement.profiles.items()}
        with tx.unawaited():
            writer.profiles(settlement)
            writer.moves(settlement, new)
            writer.activity(known, {r: a.products for r, a in arrivals.items() if a.products})
            writer.evidence(found)
            writer.worn(found)
            state(tx, ((e.record_id, e.event_id, s) for e in fresh if e.consent for s in e.consent))
            rows, messages = _events(fresh, homes, versions, outcomes)
            announcer.linked(messages)
            announcer.merges(logged, versions)
            self.tell(tx, logged, author)
            announcer.profiles(settlement.profiles)
            reviews = ReviewWriter(tx, author).write(settlement)
            versions |= versions_of(tx, {p for c in reviews for p in (c.low, c.high)} - versions.keys())
            announcer.reviews(reviews, versions)
        tx.copy("copy_events", EVENT_TYPES, rows)
        return partial(count, fresh, found, settlement, outcomes, len(reviews))

    def _claim(self, tx: Transaction, events: Sequence[Event]) -> list[Event]:
        """Those of the events that were never linked before, each once."""
        first: dict[Id, Event] = {}
        for event in events:
            first.setdefault(event.event_id, event)
        ordered = [first[i] for i in sorted(first)]
        if not ordered:
            return []
        claimed = tx.rows(
            "index_events",
            ([e.event_id for e in ordered], [e.record_id for e in ordered], [e.accepted_at for e in ordered]),
        )
        ids = {row[0] for row in claimed}
        fresh = [e for e in first.values() if e.event_id in ids]
        if again := [e for e in events if e.event_id not in ids or e is not first[e.event_id]]:
            which = {"events": [e.event_id for e in again], "raws": [e.raw_id for e in again]}
            tx.run("note_duplicates", which)  # who is forgotten is to be with them
        return fresh

    def _split(
        self,
        tx: Transaction,
        store: PostgresIdentityStore,
        arrivals: Mapping[Id, Arrival],
        by_record: Mapping[Id, Sequence[Event]],
    ) -> tuple[dict[Id, Known], dict[Id, HashedContent]]:
        """Known records, and the hashed content of new ones, whose keys are locked."""
        hashed: dict[Id, HashedContent] = {}

        def keys_of(records: Collection[Id]) -> list[int]:
            hashed.update(self._hashed(tx, {r: by_record[r][0] for r in records}))
            return [k.key for content in hashed.values() for k in content.keys]

        known = known_behind_locks({r: a.activity for r, a in arrivals.items()}, keys_of, store)
        return known, {r: content for r, content in hashed.items() if r not in known}

    def _hashed(self, tx: Transaction, carrying: Mapping[Id, Event]) -> dict[Id, HashedContent]:
        """The hashed side of records, each carried by an event, by the version that records are found by. What was
        hashed under another one, before a rotation or in it, is hashed anew."""
        found = {r: hashed_content(self._codec, event) for r, event in carrying.items()}
        keys = self._ring.hash_keys(self.versions.looked_up)
        others = {r: carrying[r] for r, c in found.items() if c.hash_key_version != keys.version}
        plain = self.contents(tx, list(others.values())) if others else {}
        for r, event in others.items():
            found[r] = content_under(keys, CanonicalRecord(*deserialize(plain[event.raw_id])))
        return found

    def _open(
        self,
        tx: Transaction,
        new: Mapping[Id, Arrival],
        hashed: dict[Id, HashedContent],
        by_record: Mapping[Id, Sequence[Event]],
    ) -> dict[Id, Arrival]:
        """The new records in the clear, as the first events brought them; hashed as well by what is made ready."""
        if not new:
            return {}
        brought = {r: by_record[r][0] for r in new}
        plain = self.contents(tx, list(brought.values()))
        opened: dict[Id, Arrival] = {}
        for r, event in brought.items():
            record = self._cache.put(IdentityRecord(r, *deserialize(plain[event.raw_id])))
            a = new[r]
            if self.versions.filling is not None:
                hashed[r] = replace(hashed[r], also=self._rehashed(record, self.versions.filling))
            bought = record.having_bought(a.products)
            opened[r] = replace(a, keys=hashed[r].keys, record=bought)
        return opened

    def _rehashed(self, record: IdentityRecord, version: int) -> Rehashed:
        keys = self._ring.hash_keys
        return rehashed(record, keys(self.versions.looked_up), keys(version))


def unsealed(tx: Transaction, ring: KeyRing, events: Sequence[Event]) -> dict[Id, bytes]:
    """The serialized records, opened with the data keys of the raw events that brought them. Raises BadMessage."""
    keys = {
        owner: (wrapped, version)
        for owner, wrapped, version in tx.rows("data_keys", ([e.raw_id for e in events],))
    }
    plain: dict[Id, bytes] = {}
    for event in events:
        if event.raw_id not in keys:
            # normalize stores keys before it publishes, so it was there once
            raise BadMessage(ReasonCode.DATA_KEY_MISSING, "the data key of the raw event is gone")
        wrapped, version = keys[event.raw_id]
        content = cast(Mapping[str, object], event.fields["record"])
        plain[event.raw_id] = open_sealed(
            ring.unwrap(wrapped, version, event.raw_id),
            cast(bytes, content["sealed_record"]),
            b"normalized:record:" + event.raw_id,
        )
    return plain


def _events(
    events: Sequence[Event],
    homes: Mapping[Id, Id],
    versions: Mapping[Id, int],
    outcomes: Mapping[Id, Outcome],
) -> tuple[list[tuple[object, ...]], list[Mapping[str, object]]]:
    """The rows of the events, and the messages about those that name somebody."""
    committed_at = datetime.now(UTC)
    stood = {r: (str(home), versions[home], outcomes[r]) for r, home in homes.items()}
    rows = []
    messages: list[Mapping[str, object]] = []
    for event in events:
        issues = cast(Sequence[str], event.fields["issues"])
        if event.record_id is None:
            rows.append(event_row(event, NOBODY.decision, [*NOBODY.reasons, *issues], committed_at))
            continue
        home, version, outcome = stood[event.record_id]
        reasons = [*outcome.reasons, *issues]
        rows.append(event_row(event, outcome.decision, reasons, committed_at))
        messages.append(linked_event(event, home, version, outcome.decision, reasons, committed_at))
    return rows, messages

"""Put what a replay came to in force: all of it in one transaction, and told to everybody.

Nobody else decides meanwhile (pipeline/store/activations.py); who only reads is not held up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TypeVar

import orjson
from psycopg.rows import TupleRow

from pipeline.announce import Announcer, versions_of
from pipeline.audit.actions import Action
from pipeline.audit.decided import tell_decided
from pipeline.audit.entry import AuditEntry, named
from pipeline.errors import Conflict
from pipeline.ids import new_id
from pipeline.progress import Progress, silent
from pipeline.reasons import must_say_why
from pipeline.replay.build import Builder
from pipeline.replay.difference import Difference, difference
from pipeline.replay.logic import Begun, Logic
from pipeline.replay.shadow import Shadow
from pipeline.replay.swap import Swapped, swap, swap_events
from pipeline.store.activations import stand_alone
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction
from pipeline.store.identity_writer import Author
from pipeline.store.key_versions import stored_versions
from pipeline.store.review_writer import ReviewWriter
from pipeline.unmerge.asked import Asked

_MESSAGES = 1_000
"""In one row of the outbox."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Activated:
    """What was put in force, and how many messages tell of it, by topic."""

    difference: Difference
    published: Mapping[str, int]


def compare(shadow: Shadow, builder: Builder) -> Difference:
    """What would change, as of one instant of the live house. Raises NotFound, Conflict, StoreUnavailable."""
    builder.catch_up()
    with shadow.database.transaction() as tx:
        tx.run("begin_repeatable")
        _is_ready(tx, shadow)
        builder.finish(tx)
        return difference(tx)


def activate(
    shadow: Shadow, builder: Builder, logic: Logic, asked: Asked, progress: Progress = silent
) -> Activated:
    """Replace what stands, and remove the shadow. `builder` goes on with it.

    Raises NotFound (no shadow), Conflict (not built to the end, by another logic, people forgotten since, or not what
    the plan says), BadInput (a blank reason), StoreUnavailable.
    """
    must_say_why(asked.reason)
    author = Author(asked.actor, asked.reason, logic.model.version, logic.policy.version, asked.now, new_id)
    builder.catch_up()
    with shadow.database.transaction() as tx:
        stand_alone(tx)
        begun = shadow.state(tx)
        if stored_versions(tx).other is not None:
            raise Conflict(
                "the keys are being rotated: finish it with `retail-brain keys rotate`, then activate"
            )
        begun.must_be(Begun.by(logic, begun.from_time, begun.key_version), shadow.schema)
        _is_ready(tx, shadow)
        builder.finish(tx)
        found = difference(tx)
        asked.must_come_to(found.plan)
        progress("activate", 0, 2)
        swapped = swap(tx, found, author)
        progress("activate", 1, 2)
        tx.run("plan_for_few_rows")
        tx.run("live_first", (shadow.schema,))
        published = _tell(tx, logic, author, swapped)
        swap_events(tx)
        tx.run("note_activation", _noted(found, author))
        write_audit(tx, _entry(found, author, shadow.schema))
        tell_decided(tx, swapped.logged, author)
        shadow.drop(tx)
    progress("activate", 2, 2)
    return Activated(found, published)


def _is_ready(tx: Transaction, shadow: Shadow) -> None:
    if not shadow.is_built(tx):
        raise Conflict(
            f"shadow {shadow.schema} is not built to its end: go on with `retail-brain replay`, then activate"
        )
    tx.run("plan_for_whole_tables")
    forgotten = (tx.row("replay_forgotten") or (0,))[0]
    tx.run("plan_for_few_rows")
    if forgotten:
        raise Conflict(
            f"{forgotten} events of shadow {shadow.schema} are of people who were forgotten since, or were kept long "
            "enough: remove it (`replay --drop`) and build anew"
        )


def _noted(found: Difference, author: Author) -> dict[str, object]:
    return {
        "now": author.now,
        "actor": author.actor,
        "reason": author.reason,
        "plan": found.plan,
        "model": author.model_version,
        "policy": author.policy_version,
        "counts": orjson.dumps(asdict(found.counts)).decode(),
    }


def _entry(found: Difference, author: Author, schema: str) -> AuditEntry:
    objects = (
        *named("shadow", schema),
        *named("model", author.model_version),
        *named("policy", author.policy_version),
    )
    details = {"plan": found.plan, "counts": asdict(found.counts)}
    action = Action.REPLAY_ACTIVATED
    return AuditEntry(action, author.actor, author.now, (), objects, author.reason, details=details)


def _tell(tx: Transaction, logic: Logic, author: Author, swapped: Swapped) -> dict[str, int]:
    """All that follows from it, as messages. Returns how many there are, by topic."""
    announcer = Announcer(tx, logic.codec, author)
    links = 0
    for rows in _chunks(tx.stream("swapped_links")):
        announcer.linked([_linked(row) for row in rows])
        links += len(rows)
    reviews = ReviewWriter(tx, author).write(swapped.settlement)
    versions = dict(swapped.reviewed)
    versions |= versions_of(tx, {p for c in reviews for p in (c.low, c.high)})
    versions |= {p: after.version for p, after in swapped.profiles.items()}
    for entries in _chunks(swapped.logged):
        announcer.merges(entries, versions)
    for profiles in _chunks(swapped.profiles.items()):
        announcer.profiles(dict(profiles))
    for gone in _chunks(swapped.gone):
        announcer.gone(gone)
    for changes in _chunks(reviews):
        announcer.reviews(changes, versions)
    return {
        "events.linked": links,
        "identity.merges": len(swapped.logged),
        "profiles.updates": len(swapped.profiles) + len(swapped.gone),
        "identity.reviews": len(reviews),
    }


def _linked(row: TupleRow) -> dict[str, object]:
    """An event that speaks of another record by now, as a message of events.linked; its last three tell an order."""
    *told, amount, currency, items = row
    names = (
        "event_id", "profile_id", "profile_version", "record_id", "decision", "source", "event_type", "occurred_at",
        "accepted_at", "committed_at", "request_id", "correlation_id", "reasons", "channel", "store",
    )  # fmt: skip
    order = None if amount is None else {"amount": amount, "currency": currency, "items": items or []}
    message: dict[str, object] = {**dict(zip(names, told, strict=True)), "order": order}
    return message | {name: str(message[name]) for name in ("event_id", "profile_id", "record_id")}


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, _MESSAGES)):
        yield chunk

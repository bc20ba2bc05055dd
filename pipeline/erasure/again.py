"""What a restored backup brings back is forgotten again, by the log of erasures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from pipeline.erasure.erase import forget_now
from pipeline.erasure.receipt import Receipt, checked, digest_of
from pipeline.errors import BadInput
from pipeline.identity.ids import Id
from pipeline.steward import Stewardship
from pipeline.store.database import Database, Transaction
from pipeline.unmerge.asked import Asked

_MEND = "give the file that `retail-brain erase log` printed, unchanged"


@dataclass(frozen=True, slots=True)
class Again:
    """How many erasures were read, and how many customers stood again and were forgotten. `unclear` are customers that
    consist of events which were erased and of others as well: they were not touched."""

    erasures: int
    forgotten: int
    unclear: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class _Erasure:
    receipt: Receipt
    events: tuple[Id, ...]
    document: bytes


def log_line(document: bytes, events: Sequence[str]) -> bytes:
    """An erasure as a line of the log: its receipt, and the ids of the events that went."""
    return orjson.dumps({**orjson.loads(document), "events": list(events)})


def standing(database: Database, receipt: Receipt) -> dict[str, int]:
    """What stands of a person who was forgotten, by kind; nothing where all is well. Raises StoreUnavailable."""
    asked = {"profiles": _profiles(receipt), "erasure": Id(receipt.erasure_id.bytes)}
    with database.snapshot() as tx:
        row = tx.row("standing_of_erased", asked) or (0, 0)
    return {what: count for what, count in zip(("profiles", "events"), row, strict=True) if count}


def erase_again(stewardship: Stewardship, lines: Iterable[bytes], actor: str, now: datetime) -> Again:
    """Forget everybody again whose erasure is in one of the lines: customers who consist of nothing but events that
    were erased. These events, and the ids of the profiles, never come again.

    Every line is checked before anybody is forgotten. Raises BadInput (which names the line), and what `erase_person`
    raises.
    """
    erasures = [_checked(number, line, stewardship) for number, line in enumerate(lines, 1) if line.strip()]
    forgotten, unclear = 0, set[Id]()
    for erasure in erasures:
        with stewardship.database.transaction() as tx:
            customers = tx.rows("customers_of_erased", {"events": list(erasure.events)})
        reason = f"again, after a backup was restored: {erasure.receipt.reason}"
        for profile, whole in customers:
            if whole:
                forget_now(stewardship, profile, Asked(actor, reason, now))
                forgotten += 1
            else:
                unclear.add(profile)
        with stewardship.database.transaction() as tx:
            _remember(tx, erasure)
    return Again(len(erasures), forgotten, tuple(sorted(unclear)))


def _checked(number: int, line: bytes, stewardship: Stewardship) -> _Erasure:
    try:
        receipt = checked(line, stewardship.ring.receipt_keys()).receipt
        read = orjson.loads(line)
        events = [str(UUID(e)) for e in read.pop("events")]
    except BadInput as exc:
        raise BadInput(f"line {number}", str(exc)) from None
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"line {number}", f"it names no events; {_MEND}") from None
    if digest_of(events) != receipt.events_digest:
        raise BadInput(f"line {number}", f"its events are not those that were erased; {_MEND}")
    return _Erasure(receipt, tuple(Id.parse(e) for e in events), orjson.dumps(read))


def _remember(tx: Transaction, erasure: _Erasure) -> None:
    """As the erasure left it, where the backup is older than it."""
    receipt = erasure.receipt
    own = Id(receipt.erasure_id.bytes)
    tx.run("mark_erased", {"events": list(erasure.events), "at": receipt.erased_at, "erasure": own})
    told = (own, receipt.erased_at, receipt.actor, receipt.reason, None, None, erasure.document)
    tx.run("write_erasure", told)
    tx.run("write_erased_profiles", (_profiles(receipt), own))


def _profiles(receipt: Receipt) -> list[Id]:
    return [Id(p.bytes) for p in receipt.profiles]

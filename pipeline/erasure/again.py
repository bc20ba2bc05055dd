"""What a restored backup brings back is forgotten again, by the receipts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.erasure.erase import erase_person
from pipeline.erasure.receipt import Receipt, checked
from pipeline.errors import BadInput
from pipeline.identity.ids import Id
from pipeline.steward import Stewardship
from pipeline.store.database import Database
from pipeline.unmerge.asked import Asked


@dataclass(frozen=True, slots=True)
class Again:
    """How many receipts were read, and how many customers of theirs stood again and were forgotten. `unclear` are
    customers that an id of a receipt leads to and the receipt does not name, so that others are in them as well: they
    were not touched."""

    receipts: int
    forgotten: int
    unclear: tuple[Id, ...]


def standing(database: Database, receipt: Receipt) -> dict[str, int]:
    """What stands of a person who was forgotten, by kind; nothing where all is well. Raises StoreUnavailable."""
    with database.snapshot() as tx:
        row = tx.row("standing_of_erased", _asked(receipt)) or (0, 0)
    return {what: count for what, count in zip(("profiles", "identity records"), row, strict=True) if count}


def erase_again(stewardship: Stewardship, lines: Iterable[bytes], actor: str, now: datetime) -> Again:
    """Forget everybody again whose signed receipt is in one of the lines and who stands.

    Every receipt is checked before anybody is forgotten. Raises BadInput (which names the line), and what
    `erase_person` raises.
    """
    receipts = [_checked(number, line, stewardship) for number, line in enumerate(lines, 1) if line.strip()]
    forgotten, unclear = 0, set[Id]()
    for receipt in receipts:
        named = {Id(p.bytes) for p in receipt.profiles}
        for profile in _survivors(stewardship.database, receipt):
            if profile not in named:
                unclear.add(profile)
                continue
            reason = f"again, after a backup was restored: {receipt.reason}"
            erase_person(stewardship, profile, Asked(actor, reason, now))
            forgotten += 1
    return Again(len(receipts), forgotten, tuple(sorted(unclear)))


def _checked(number: int, line: bytes, stewardship: Stewardship) -> Receipt:
    try:
        return checked(line, stewardship.ring.receipt_keys()).receipt
    except BadInput as exc:
        raise BadInput(f"line {number}", str(exc)) from None


def _survivors(database: Database, receipt: Receipt) -> list[Id]:
    with database.snapshot() as tx:
        return [p for (p,) in tx.rows("survivors_of_erased", _asked(receipt))]


def _asked(receipt: Receipt) -> Mapping[str, object]:
    return {"profiles": [Id(p.bytes) for p in receipt.profiles]}

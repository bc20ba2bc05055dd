"""Dead letters that speak of a person: found by what they say, since what was refused is linked to nobody."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from pipeline.dead_letters.opening import opened
from pipeline.errors import RetailBrainError, RetryLater
from pipeline.identity.ids import Id
from pipeline.identity.model import IdentifierType, IdentityRecord
from pipeline.privacy.keyring import KeyRing
from pipeline.store.database import Database
from pipeline.store.dead_letters import SealedMessage, read_messages

_LINES = frozenset((IdentifierType.PHONE, IdentifierType.WHATSAPP))
_NOT_DIGITS = re.compile(rb"\D+")
_SHORTEST = 5
_NATIONAL_DIGITS = 9
"""So many digits at the end of a phone number are written alike with and without its country."""
_CHUNK = 500


class Needles:
    """What names a person, to be looked for in bytes of any form."""

    def __init__(self, records: Iterable[IdentityRecord]) -> None:
        identifiers = {i for record in records for i in record.identifiers}
        self._texts = {
            i.value.lower().encode()
            for i in identifiers
            if i.type not in _LINES and len(i.value) >= _SHORTEST
        }
        digits = (_NOT_DIGITS.sub(b"", i.value.encode()) for i in identifiers if i.type in _LINES)
        self._digits = {d[-_NATIONAL_DIGITS:] for d in digits if len(d) >= _SHORTEST}

    def are_in(self, message: bytes) -> bool:
        """Whether any of an identifier's values stands there, in whatever case, and a phone number in whatever
        spelling."""
        text = message.lower()
        if any(needle in text for needle in self._texts):
            return True
        return bool(self._digits) and any(needle in _NOT_DIGITS.sub(b"", text) for needle in self._digits)


def letters_of(database: Database, ring: KeyRing, records: Collection[IdentityRecord]) -> tuple[Id, ...]:
    """The dead letters whose message, as it came or as it was mended, holds an identifier of these records. Each is
    opened for it. Raises StoreUnavailable."""
    needles = Needles(records)
    with database.transaction() as tx:
        ids = [letter for (letter,) in tx.rows("letters_with_keys")]
    return tuple(letter for chunk in _chunks(ids) for letter in _naming(database, ring, chunk, needles))


def _naming(database: Database, ring: KeyRing, letters: list[Id], needles: Needles) -> Iterator[Id]:
    with database.transaction() as tx:
        for sealed in read_messages(tx, letters):
            if any(needles.are_in(said) for said in _said(ring, sealed)):
                yield sealed.letter_id


def _said(ring: KeyRing, sealed: SealedMessage) -> Iterator[bytes]:
    """The message as it came, and as it was mended."""
    try:
        for one in (sealed, replace(sealed, edit=None)):
            message = opened(ring, one, sealed.topic)
            yield (message.key or b"") + b" " + (message.value or b"")
    except RetryLater:
        raise
    except RetailBrainError:  # what does not open nobody can read
        return


def _chunks(ids: list[Id]) -> Iterator[list[Id]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]

"""Dead letters that speak of a person: found by what they say, since what was refused is linked to nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pipeline.dead_letters.acceptable import NORMALIZED_TOPIC
from pipeline.dead_letters.content import Fields, read_content
from pipeline.dead_letters.opening import opened
from pipeline.errors import RetailBrainError, RetryLater
from pipeline.identity.ids import Id
from pipeline.identity.model import Identifier, IdentifierType, IdentityRecord
from pipeline.identity.normalize import canonicalize
from pipeline.identity.policy import Policy
from pipeline.privacy.keyring import KeyRing
from pipeline.store.database import Database
from pipeline.store.dead_letters import SealedMessage, read_messages
from pipeline.stream.batch import Message
from schemas.codec import RAW_TOPIC, Codec

_LINES = frozenset((IdentifierType.PHONE, IdentifierType.WHATSAPP))
_TYPES = frozenset(t.value for t in IdentifierType)
_NOT_DIGITS = re.compile(r"\D+")
_NUMBER = re.compile(r"\+?\d[\d\s().\-/]{5,}\d")
_WORD = re.compile(r"[\w.%+\-@]+")
_SHORTEST = 4
_NATIONAL_DIGITS = 9
"""So many digits at the end of a phone number are written alike with and without its country."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Named:
    """What names a person: identifiers, the ends of phone numbers, and value hashes in hex."""

    identifiers: frozenset[Identifier]
    hashes: frozenset[str]

    @classmethod
    def by(cls, records: Iterable[IdentityRecord], hashes: Iterable[bytes]) -> Named:
        """What these records hold, and the hashes of it."""
        held = frozenset(i for record in records for i in record.identifiers)
        return cls(held, frozenset(h.hex() for h in hashes))

    @property
    def numbers(self) -> frozenset[str]:
        """The ends of phone numbers."""
        return frozenset(_end(i.value) for i in self.identifiers if i.type in _LINES)

    @property
    def words(self) -> frozenset[str]:
        """The other identifiers' values."""
        return frozenset(i.value.lower() for i in self.identifiers if i.type not in _LINES)


def _end(number: str) -> str:
    return _NOT_DIGITS.sub("", number)[-_NATIONAL_DIGITS:]


@dataclass(frozen=True, slots=True)
class LetterReader:
    """What letters are read with."""

    ring: KeyRing
    codec: Codec
    policy: Policy

    def owners_of(self, database: Database, named: Named) -> tuple[Id, ...]:
        """The owners of the data keys of all letters that name the person, as they came or as they were mended: the
        letters, and of normalized events the raw events as well. Raises StoreUnavailable."""
        with database.transaction() as tx:
            ids = [letter for (letter,) in tx.rows("letters_with_keys")]
        found: list[Id] = []
        for start in range(0, len(ids), _CHUNK):
            with database.transaction() as tx:
                letters = read_messages(tx, ids[start : start + _CHUNK])
            found += [owner for letter in letters for owner in self._owners(letter, named)]
        return tuple(found)

    def _owners(self, letter: SealedMessage, named: Named) -> Iterator[Id]:
        for message in self._said(letter):
            content = read_content(self.codec, letter.topic, message.value or b"")
            if letter.topic == NORMALIZED_TOPIC and content.fields is not None:
                if named.hashes & set(_hashes(content.fields)):
                    yield from (letter.letter_id, Id.parse(str(content.fields["raw_id"])))
            elif letter.topic == RAW_TOPIC and isinstance(content.fields, Mapping):
                if self._names(content.fields, named):
                    yield letter.letter_id
            elif _speaks_of((message.key or b"") + b" " + (message.value or b""), named):
                yield letter.letter_id

    def _said(self, letter: SealedMessage) -> Iterator[Message]:
        try:
            for one in (letter, replace(letter, edit=None)):
                yield opened(self.ring, one, letter.topic)
        except RetryLater:
            raise
        except RetailBrainError:  # what does not open nobody can read
            return

    def _names(self, fields: Fields, named: Named) -> bool:
        """Whether an event's identifiers are among those of the person; what is none of our form is read as text."""
        identifiers = fields.get("identifiers")
        if not isinstance(identifiers, Mapping):
            return _speaks_of(str(fields).encode(), named)
        given: dict[str, list[str]] = {}
        for kind, values in identifiers.items():
            texts = [str(v) for v in (values if isinstance(values, list) else [values]) if v is not None]
            if any(_end(text) in named.numbers for text in texts if len(_end(text)) == _NATIONAL_DIGITS):
                return True
            if kind in _TYPES and IdentifierType(kind) not in _LINES:
                given[kind] = texts
            elif _speaks_of(" ".join(texts).encode(), named):
                return True
        # no phone number and no date is among them: neither region nor day tells anything
        record = canonicalize(given, {}, self.policy, region="US", today=datetime.now(UTC).date())
        return not named.identifiers.isdisjoint(record.identifiers) or _speaks_of(
            " ".join(text for texts in given.values() for text in texts).encode(), named
        )


def _hashes(fields: Fields) -> Iterator[str]:
    record = fields.get("record")
    identifiers = record.get("identifiers", ()) if isinstance(record, Mapping) else ()
    for identifier in identifiers:
        value = identifier["value_hash"]
        yield value.hex() if isinstance(value, bytes) else str(value)


def _speaks_of(message: bytes, named: Named) -> bool:
    """Whether an identifier's value stands in bytes of any form, as a word of its own, in whatever case, and a phone
    number in whatever spelling."""
    text = message.decode("utf-8", "replace").lower()
    words = {word.strip(".-+%") for word in _WORD.findall(text)}
    if any(word in words for word in named.words if len(word) >= _SHORTEST):
        return True
    return any(_end(number) in named.numbers for number in _NUMBER.findall(text))

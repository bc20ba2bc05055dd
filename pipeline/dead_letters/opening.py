"""The message of a dead letter, opened, and what keeps it from being mended or replayed."""

from __future__ import annotations

from pipeline.dead_letters.acceptable import NORMALIZED_TOPIC, REPLAYABLE
from pipeline.errors import BadMessage, ConfigurationError, Conflict, SealBroken
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.seal import open_sealed
from pipeline.store.dead_letters import SealedMessage
from pipeline.stream.batch import Message
from pipeline.stream.deadletter import MAX_BYTES, TOPIC, sealed_context

DESTROYED = "its data key was destroyed: nobody can read its message any more"


def refusal(error: Exception) -> str:
    """Why a letter is refused; of an error that nobody foresaw the type only, since its text may quote what came."""
    foreseen = isinstance(error, BadMessage | ConfigurationError | Conflict | SealBroken)
    return str(error) if foreseen else f"refused: {type(error).__name__}"


def data_key(ring: KeyRing, sealed: SealedMessage) -> bytes:
    """The letter's data key. Raises Conflict where there is none; SealBroken."""
    if sealed.wrapped is None or sealed.key_version is None:
        raise Conflict(unread(sealed) or DESTROYED)
    return ring.unwrap(sealed.wrapped, sealed.key_version, sealed.letter_id)


def opened(ring: KeyRing, sealed: SealedMessage, topic: str) -> Message:
    """The message as it came, with its value as it was last mended; `topic` is its name on the broker.

    Raises as `data_key` does.
    """
    key = data_key(ring, sealed)

    def part(name: str, data: bytes | None) -> bytes | None:
        return None if data is None else open_sealed(key, data, sealed_context(name, sealed.letter_id))

    value = part("value", sealed.value) if sealed.edit is None else part("edit", sealed.edit)
    return Message(topic, sealed.partition, sealed.offset, sealed.message_at, part("key", sealed.key), value)


def unread(sealed: SealedMessage) -> str | None:
    """Why the letter's message cannot be opened, if so."""
    if sealed.wrapped is not None:
        return None
    if sealed.topic in REPLAYABLE or sealed.value is not None:
        return DESTROYED
    return (
        f"the letter of a consumer: its message is still in {sealed.topic}, partition {sealed.partition}, offset "
        f"{sealed.offset}, for as long as that topic keeps it"
    )


def unmendable(sealed: SealedMessage) -> str | None:
    """Why no field of it can be mended, and what to do instead; None where it can."""
    if sealed.topic == NORMALIZED_TOPIC:
        return (
            "its content is hashed and sealed, so that no field of it can be mended: mend what refused it and replay "
            "it as it is, or drop it and let the source send the event again"
        )
    return _beyond_replay(sealed)


def unreplayable(sealed: SealedMessage) -> str | None:
    """Why it cannot be replayed, and what to do instead; None where nothing but its content may stand against it."""
    if (beyond := _beyond_replay(sealed)) is not None:
        return beyond
    if sealed.truncated and sealed.edit is None:
        return f"only its first {MAX_BYTES:,} bytes were kept: mend it with the whole event, or drop it"
    if sealed.value is None and sealed.edit is None:
        return "it is a message without a value: mend it with a whole event, or drop it"
    return None


def _beyond_replay(sealed: SealedMessage) -> str | None:
    if sealed.topic in REPLAYABLE:
        return unread(sealed)
    if sealed.topic == TOPIC:
        return "it came on events.dead-letter and is no dead letter, so that nothing would read it: drop it"
    return (
        f"{unread(sealed) or 'its topic holds states'}; an old state published again would overtake newer ones: mend "
        "the consumer, let it read its topic again from there, and drop the letter"
    )

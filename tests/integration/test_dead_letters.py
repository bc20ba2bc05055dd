"""Dead letters on a real Postgres: filed once, seen without plaintext, mended, and replayed exactly once in effect."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import cast

import orjson
import psycopg
import pytest

from consumers.letters import Letters
from pipeline.codes import ReasonCode
from pipeline.dead_letters.acceptable import replayable
from pipeline.dead_letters.bulk import Refusals, Untouched, act_on
from pipeline.dead_letters.changes import Changes
from pipeline.dead_letters.content import Content
from pipeline.dead_letters.desk import desk
from pipeline.errors import BadInput, BadMessage, Conflict, NotFound, SealBroken
from pipeline.events import Limits
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.privacy.keyfile import KeyFile
from pipeline.privacy.keyring import key_ring
from pipeline.privacy.seal import open_sealed
from pipeline.raw_event import raw_id
from pipeline.settings import Settings
from pipeline.store.database import Database, Transaction
from pipeline.store.dead_letters import Choice
from pipeline.stream.batch import Message
from pipeline.stream.deadletter import REPLAY_HEADER, TOPIC, sealed_context
from pipeline.stream.outbox import write_outbox
from pipeline.stream.publish import MemoryPublisher, Outgoing
from pipeline.stream.relay import Relay
from schemas.codec import Codec
from tests.support.letters import EVERY, NORMALIZED, RAW, Letterbox
from tests.support.people import ring

GOOD = {
    "source": "pos",
    "event_type": "visit",
    "event_id": "visit-1",
    "occurred_at": "2026-01-02T03:04:05Z",
    "identifiers": {"email": "jane.roe@postbox.io"},
    "traits": {"first_name": "Jane", "last_name": "Roe"},
}
BAD = {**GOOD, "identifiers": {"email": "jane.roe@postbox.io", "phone": 4155552671}}
MEND = Changes({"identifiers.phone": "+14155552671"})
ANN = ("ann", "the till sent numbers")


@pytest.fixture
def box(database: str) -> Iterator[Letterbox]:
    made = Letterbox(database)
    yield made
    made.close()


def bad(**more: object) -> bytes:
    return orjson.dumps({**BAD, **more})


def avro(box: Letterbox, **more: object) -> bytes:
    """A raw event by an upstream team, whose source is no source."""
    fields = {
        "event_id": "",
        "source": "the till",
        "event_type": "visit",
        "occurred_at": None,
        "accepted_at": None,
        "request_id": None,
        "correlation_id": None,
        "identifiers": {"phone": ["+14155552671"]},
        "traits": {"first_name": "Jane"},
        "payload": None,
    }
    return box.codec.encode(RAW, {**fields, **more})


def test_a_letter_is_filed_listed_and_shown_without_plaintext(box: Letterbox) -> None:
    box.send(bad())
    (letter,) = box.waiting()
    assert (letter.stage, letter.reason, letter.topic, letter.offset) == (
        "normalize",
        "schema_violation",
        RAW,
        0,
    )
    shown = box.desk.show(letter.dead_letter_id, "ann")
    assert shown.message is not None
    assert shown.message.fields == {
        "source": "pos",
        "event_type": "visit",
        "event_id": "v***1",
        "occurred_at": "2026-01-02T03:04:05Z",
        "identifiers": {"email": "j***@p***.io", "phone": "41***71"},
        "traits": {"first_name": "J***", "last_name": "R***"},
    }
    assert shown.unreplayable is not None
    assert shown.unreplayable.startswith("schema_violation: identifiers.phone: got a number")
    assert not shown.actions
    with pytest.raises(NotFound):
        box.desk.show(new_id(), "ann")


def test_a_letter_that_comes_again_is_filed_once_and_stays_as_it_is(box: Letterbox) -> None:
    box.send(b"hello")
    letter_id = box.one()
    box.desk.drop([letter_id], *ANN)
    ((payload, failed_at),) = box.rows("SELECT sealed_value, failed_at FROM dead_letter")
    told = {
        "dead_letter_id": str(letter_id),
        "stage": "normalize",
        "reason": "undecodable",
        "detail": "x",
        "topic": RAW,
        "partition": 0,
        "offset": 0,
        "timestamp": datetime.now(UTC),
        "failed_at": failed_at,
        "sealed_key": None,
        "sealed_value": payload,
        "truncated": False,
        "replay_of": None,
    }
    again = Outgoing(TOPIC, b"k", box.codec.encode(TOPIC, told))
    box.deliver([again, again])
    assert box.rows("SELECT count(*), min(status), min(detail) FROM dead_letter") == [
        (1, "dropped", "neither Confluent-framed Avro nor a JSON object")
    ]


def refuse(box: Letterbox, message: Message) -> list[Outgoing]:
    """Normalize refuses a message; returns the letter as it is published."""
    batch = box.stages.batch("normalize", [message])
    box.stages.normalize.bury(message, batch.positions[0], ValueError("x"))
    box.relay.publish_some()
    sent, box.publisher.log = box.publisher.log, []
    return sent


@pytest.mark.parametrize("done", ["replayed", "dropped"])
def test_what_is_refused_anew_waits_again(box: Letterbox, done: str) -> None:
    message = Message(RAW, 0, 0, datetime(2026, 1, 1, tzinfo=UTC), None, bad())
    first = refuse(box, message)
    box.deliver(first)
    letter_id = box.one()
    before = box.rows("SELECT sealed_value, failed_at FROM dead_letter")
    box.desk.edit(letter_id, MEND, *ANN)
    if done == "dropped":
        box.desk.drop([letter_id], *ANN)
    else:
        assert box.desk.replay([letter_id], *ANN).done == 1
        box.rows("DELETE FROM outbox RETURNING 1")
    box.deliver(first)
    assert not box.waiting(), "the same letter again opens nothing"
    assert box.rows("SELECT sealed_value, failed_at FROM dead_letter") == before
    again = refuse(box, message)
    box.deliver([*first, *again, *again])
    (letter,) = box.waiting()
    assert letter.dead_letter_id == letter_id
    assert letter.failed_at > before[0][1]
    assert not letter.edited, "what was mended is past: the message came as it was"
    shown = box.desk.show(letter_id, "ann")
    assert shown.message is not None
    assert shown.message.fields is not None
    assert shown.message.fields["source"] == "pos"
    assert [(a.action, a.actor) for a in shown.actions] == [
        ("edited", "ann"),
        (done, "ann"),
        ("reopened", "normalize"),
    ]
    assert box.desk.drop(EVERY, *ANN).done == 1
    box.deliver([*again, *first])
    assert not box.waiting()
    assert box.rows("SELECT count(*) FROM data_key") == [(0,)]


def test_what_a_dropped_letter_held_stays_unreadable_when_it_is_reopened(box: Letterbox) -> None:
    message = Message(RAW, 0, 0, datetime(2026, 1, 1, tzinfo=UTC), None, bad())
    box.deliver(refuse(box, message))
    letter_id = box.one()
    box.desk.edit(letter_id, MEND, *ANN)
    sealed = box.rows(
        "SELECT 'value', sealed_value FROM dead_letter UNION ALL "
        "SELECT 'edit', sealed_value FROM dead_letter_action WHERE action = 'edited'"
    )
    under_way = refuse(box, message)
    box.desk.drop(EVERY, *ANN)
    box.deliver(under_way)
    assert box.one() == letter_id
    assert "data key was destroyed" in str(box.desk.show(letter_id, "ann").unread), (
        "refused before it was dropped"
    )
    box.desk.drop(EVERY, *ANN)
    box.deliver(refuse(box, message))
    ((wrapped, version),) = box.rows("SELECT wrapped, key_version FROM data_key")
    key = ring().unwrap(wrapped, version, letter_id)
    for part, value in sealed:
        with pytest.raises(SealBroken):
            open_sealed(key, value, sealed_context(part, letter_id))


def test_what_is_no_letter_is_filed_sealed_and_comes_to_an_end(box: Letterbox) -> None:
    box.deliver([Outgoing(TOPIC, b"k", b"hello Jane"), Outgoing(TOPIC, b"k", None)])
    assert not box.pump(), "nothing is published for it"
    (letter,) = box.waiting()
    assert (letter.stage, letter.topic, letter.reason) == ("letters", TOPIC, "undecodable")
    shown = box.desk.show(letter.dead_letter_id, "ann")
    assert shown.message is not None
    assert (shown.message.look, shown.message.fields) == ("h*** J***", None)
    assert box.desk.replay([letter.dead_letter_id], *ANN).refused == 1
    with pytest.raises(Conflict, match="drop it"):
        box.desk.edit(letter.dead_letter_id, MEND, *ANN)
    assert not box.plaintext("Jane")


def test_a_field_is_mended_and_the_event_is_stored_and_linked_once(box: Letterbox) -> None:
    box.send(orjson.dumps(GOOD | {"event_id": "visit-0", "occurred_at": "2026-01-01T00:00:00Z"}), bad())
    letter_id = box.one()
    box.desk.edit(letter_id, MEND, *ANN)
    done = box.desk.replay([letter_id], *ANN)
    assert (done.action, done.done, done.unchanged, done.refused) == ("replayed", 1, 0, 0)
    again = box.desk.replay([letter_id], *ANN)
    assert (again.done, again.unchanged) == (0, 1)
    assert again.untouched == (Untouched(letter_id, "unchanged", "it was replayed before"),)
    (sent,) = box.pump()
    assert sent.headers == ((REPLAY_HEADER, str(letter_id).encode()),)
    box.deliver([sent, sent])  # the relay was killed before it could delete them
    box.pump()
    first, mended = box.events()
    assert first[2] == mended[2], "linked to whom it names"
    assert mended[3] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert not box.waiting()
    actions = box.desk.show(letter_id, "ann").actions
    assert [(a.action, a.actor, a.reason, a.fields) for a in actions] == [
        ("edited", *ANN, ["identifiers.phone"]),
        ("replayed", *ANN, []),
    ]


def test_what_came_is_kept_beside_the_edits(box: Letterbox) -> None:
    box.send(bad())
    letter_id = box.one()
    box.desk.edit(letter_id, MEND, *ANN)
    box.desk.edit(letter_id, Changes({"traits.last_name": "Doe"}), *ANN)
    shown = box.desk.show(letter_id, "ann")
    assert shown.letter.edited
    assert shown.unreplayable is None
    assert shown.message is not None
    assert shown.message.fields is not None
    assert shown.message.fields["traits"] == {"first_name": "J***", "last_name": "D***"}
    assert shown.message.fields["identifiers"] == {"email": ["j***@p***.io"], "phone": ["+1***71"]}
    ((wrapped, version, sealed),) = box.rows(
        "SELECT wrapped, key_version, sealed_value FROM dead_letter JOIN data_key ON owner_id = dead_letter_id"
    )
    key = ring().unwrap(wrapped, version, letter_id)
    assert open_sealed(key, sealed, b"dead_letter:value:" + letter_id) == bad()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (Changes({"traits.first_name": "Ann"}), "identifiers.phone"),
        (Changes({"identifiers.phone": "+1", "shoe": "38"}), "?"),
        (Changes({"identifiers.fax": "+1", "identifiers.phone": "+1"}), "identifiers.?"),
        (Changes({"identifiers.phone": "1", "occurred_at": "soon"}), "occurred_at"),
        (Changes({"identifiers.phone": "1", "payload": "x"}), "payload"),
        (Changes({"identifiers.phone": "1"}, ["event_type"]), "event_type"),
        (Changes(taken=["traits.city"]), "traits.city"),
        (Changes(event={"source": "pos"}), "event_type"),
    ],
)
def test_a_mend_that_normalize_would_refuse_is_refused_by_field(
    box: Letterbox, changes: Changes, field: str
) -> None:
    box.send(bad())
    with pytest.raises(BadInput) as raised:
        box.desk.edit(box.one(), changes, *ANN)
    assert raised.value.field == field
    assert box.rows("SELECT count(*) FROM dead_letter_action") == [(0,)]


def test_an_avro_event_without_an_id_is_one_event_however_often_it_is_published(box: Letterbox) -> None:
    box.send(avro(box))
    (letter,) = box.waiting()
    assert letter.reason == "schema_violation"
    box.desk.edit(letter.dead_letter_id, Changes({"source": "till-7"}), *ANN)
    assert box.desk.replay(EVERY, *ANN).done == 1
    (sent,) = box.pump()
    box.deliver([sent])
    (event,) = box.events()
    place = Message(RAW, letter.partition, letter.offset, letter.message_at, None, None)
    assert (event[0], event[1]) == (raw_id(place), "till-7"), "the id that its first place gives it"
    assert event[3] == letter.message_at, "it happened when it came, not when it was replayed"


def test_what_no_caller_sends_is_mended_as_well(box: Letterbox) -> None:
    """A clock that stood still: `accepted_at` is a field of Avro only."""
    box.send(avro(box, source="till-7", accepted_at=datetime(1999, 1, 1, tzinfo=UTC)))
    letter_id = box.one()
    for still_wrong in (Changes({"traits.city": "Ulm"}), Changes({"accepted_at": "soon"})):
        with pytest.raises(BadInput) as raised:
            box.desk.edit(letter_id, still_wrong, *ANN)
        assert raised.value.field == "accepted_at"
    box.desk.edit(letter_id, Changes({"accepted_at": "2026-01-01T00:00:00"}), *ANN)
    box.desk.edit(letter_id, Changes({"traits.city": "Ulm"}), *ANN)
    box.desk.replay([letter_id], *ANN)
    box.pump()
    assert box.rows("SELECT accepted_at, occurred_at FROM event") == [(datetime(2026, 1, 1, tzinfo=UTC),) * 2]


def test_bytes_that_name_id_and_time_go_out_unchanged(box: Letterbox) -> None:
    message = Message(RAW, 0, 0, datetime.now(UTC), b"jane's key", orjson.dumps(GOOD))
    batch = box.stages.batch("normalize", [message])
    box.stages.normalize.bury(message, batch.positions[0], ValueError("a bug of ours, mended meanwhile"))
    box.pump()
    (letter,) = box.waiting()
    assert letter.reason == ReasonCode.PROCESSING_FAILED
    assert box.desk.replay(EVERY, *ANN).done == 1
    assert not box.plaintext("Jane", "jane's key", "postbox"), "the outbox holds it sealed"
    (sent,) = box.pump()
    assert sent.value == orjson.dumps(GOOD)
    assert sent.key == str(letter.dead_letter_id).encode(), "a key may be personal, and that topic needs none"
    assert len(box.events()) == 1


def test_what_fails_again_names_the_letter_it_comes_from(box: Letterbox) -> None:
    box.send(bad())
    first = box.one()
    box.desk.edit(first, MEND, *ANN)
    box.desk.replay([first], *ANN)
    box.relay.publish_some()
    (sent,) = box.publisher.log
    box.publisher.log = []
    box.deliver([sent._replace(value=b"made unreadable on its way")])
    box.pump()
    (again,) = box.waiting()
    assert again.replay_of == first
    assert again.dead_letter_id != first


def test_a_dropped_letter_cannot_be_read_any_more(box: Letterbox) -> None:
    box.send(bad(), bad(event_id="visit-2"))
    kept, letter_id = (letter.dead_letter_id for letter in box.waiting())
    box.desk.edit(letter_id, MEND, *ANN)
    dry = box.desk.drop([letter_id], *ANN, dry_run=True)
    assert (dry.dry_run, dry.done) == (True, 1)
    assert len(box.waiting()) == 2
    assert box.desk.drop([letter_id], *ANN).done == 1
    shown = box.desk.show(letter_id, "ann")
    assert (shown.message, shown.letter.status) == (None, "dropped")
    assert shown.unread is not None
    assert "data key was destroyed" in shown.unread
    assert [a.action for a in shown.actions] == ["edited", "dropped"]
    assert box.rows("SELECT count(*) FROM data_key WHERE owner_id = %s", letter_id) == [(0,)]
    assert box.desk.replay([letter_id], *ANN).unchanged == 1
    assert box.desk.drop([letter_id], *ANN).unchanged == 1
    with pytest.raises(Conflict, match="was dropped before"):
        box.desk.edit(letter_id, MEND, *ANN)
    assert box.one() == kept
    assert box.desk.show(kept, "ann").message is not None, "its own key is there"


def test_letters_are_replayed_by_reason_and_time(box: Letterbox) -> None:
    for number in range(70):
        box.send(bad(event_id=f"v-{number}"))
    box.send(b"hello", b"hello again")
    letters = box.waiting()
    for letter in letters:
        if letter.reason == "schema_violation":
            box.desk.edit(letter.dead_letter_id, MEND, *ANN)
    middle = letters[35].failed_at
    later = Choice(reason="schema_violation", since=middle)
    expected = sum(letter.failed_at >= middle and letter.reason == "schema_violation" for letter in letters)
    assert 0 < expected < 70
    dry = box.desk.replay(later, *ANN, dry_run=True)
    assert (dry.done, dry.dry_run) == (expected, True)
    assert box.desk.listed(EVERY, "waiting", 1).total == 72
    assert box.desk.replay(later, *ANN).done == expected
    assert box.desk.replay(later, *ANN).done == 0
    rest = box.desk.replay(Choice(until=middle + timedelta(days=1)), *ANN)
    assert (rest.done, rest.refused) == (70 - expected, 2)
    assert [u.detail for u in rest.untouched] == [
        "undecodable: neither Confluent-framed Avro nor a JSON object"
    ] * 2
    assert box.desk.replay(Choice(stage="resolve"), *ANN).refused == 0
    box.pump()
    assert len(box.events()) == 70
    assert {letter.reason for letter in box.waiting()} == {"undecodable"}


def test_a_consumers_letter_is_not_replayed(box: Letterbox) -> None:
    publisher = MemoryPublisher()
    letters = Letters("cache", Settings(), box.codec, publisher)
    message = Message("profiles.updates", 3, 17, datetime.now(UTC), b"k", b"jane")
    letters.send([(message, BadMessage(ReasonCode.UNDECODABLE, "no Avro"))])
    box.deliver(publisher.log)
    letter_id = box.one()
    shown = box.desk.show(letter_id, "ann")
    assert shown.message is None
    assert shown.unread is not None
    assert "still in profiles.updates, partition 3, offset 17" in shown.unread
    done = box.desk.replay([letter_id], *ANN)
    assert done.refused == 1
    assert "mend the consumer" in done.untouched[0].detail
    with pytest.raises(Conflict, match="mend the consumer"):
        box.desk.edit(letter_id, MEND, *ANN)
    assert box.desk.drop([letter_id], *ANN).done == 1


def test_a_letter_of_resolve_is_replayed_unchanged(box: Letterbox) -> None:
    (value,) = box.stages.normalized(GOOD)
    message = box.message(Outgoing(NORMALIZED, b"strongest", value))
    batch = box.stages.batch("resolve", [message])
    box.stages.resolve.bury(message, batch.positions[0], ValueError("a bug of ours"))
    box.pump()
    letter_id = box.one()
    with pytest.raises(Conflict, match="hashed and sealed"):
        box.desk.edit(letter_id, MEND, *ANN)
    shown = box.desk.show(letter_id, "ann")
    assert shown.message is not None
    assert shown.message.fields is not None
    record = cast(dict[str, object], shown.message.fields["record"])
    assert str(record["sealed_record"]).endswith(" bytes")
    assert box.desk.replay([letter_id], *ANN).done == 1
    (sent,) = box.pump()
    assert (sent.topic, sent.key, sent.value) == (NORMALIZED, b"strongest", value)
    box.deliver([sent])
    assert len(box.events()) == 1


def test_what_was_cut_is_mended_as_a_whole_only(box: Letterbox) -> None:
    box.send(b'{"source": "' + b"x" * 1_000_000, None)
    empty, cut = (letter.dead_letter_id for letter in sorted(box.waiting(), key=lambda x: x.truncated))
    for letter_id, why in ((cut, "first 900,000 bytes"), (empty, "without a value")):
        (untouched,) = box.desk.replay([letter_id], *ANN).untouched
        assert why in untouched.detail
        with pytest.raises(BadInput, match="send the whole event"):
            box.desk.edit(letter_id, MEND, *ANN)
        box.desk.edit(letter_id, Changes(event={**GOOD, "event_id": str(letter_id)}), *ANN)
    assert box.desk.replay(EVERY, *ANN).done == 2
    box.pump()
    assert {Id(row[0]) for row in box.events()} == {empty, cut}


def test_a_letter_that_was_tampered_with_is_told_and_not_replayed(box: Letterbox) -> None:
    box.send(bad(), bad(event_id="visit-2"))
    sound, broken = (letter.dead_letter_id for letter in box.waiting())
    box.desk.edit(sound, MEND, *ANN)
    box.rows(
        "UPDATE dead_letter SET sealed_value = sealed_value || '\\x00' WHERE dead_letter_id = %s RETURNING 1",
        broken,
    )
    shown = box.desk.show(broken, "ann")
    assert shown.message is None
    assert shown.unread == shown.unreplayable == "a sealed value does not open under this key at this place"
    done = box.desk.replay(EVERY, *ANN)
    assert (done.done, [u.dead_letter_id for u in done.untouched]) == (1, [broken])


def test_two_who_replay_the_same_letters_send_each_once(box: Letterbox, database: str) -> None:
    for number in range(64):
        box.send(bad(event_id=f"v-{number}"))
    letters = box.waiting()
    for letter in letters:
        box.desk.edit(letter.dead_letter_id, MEND, *ANN)
    backwards = [letter.dead_letter_id for letter in letters]

    def replayed(which: list[Id] | Choice) -> int:
        with desk(box.stages.settings, ring(), box.codec, "test") as other:
            return other.replay(which, *ANN).done

    with ThreadPoolExecutor(4) as pool:
        done = sum(pool.map(replayed, [backwards, EVERY, backwards[::-1], EVERY]))
    assert done == 64
    assert len(box.pump()) == 64


def test_what_fails_meanwhile_is_left_to_the_next_call(box: Letterbox, database: str) -> None:
    """Else what fails again as soon as it is replayed would be replayed for ever."""
    box.send(*[b"hello"] * 40)
    calls: list[int] = []

    def act(_: Transaction, waiting: Sequence[Id]) -> Refusals:
        calls.append(len(waiting))
        assert len(calls) < 5, calls
        box.send(*[b"hello again"] * 40)
        return {}

    with Database(database, "test") as other:
        for choice in (EVERY, Choice(until=datetime.now(UTC) + timedelta(days=1))):
            calls.clear()
            expected = len(box.waiting())
            assert act_on(other, choice, act, "replayed", datetime.now(UTC), dry_run=True).done == expected
            box.desk.drop(EVERY, *ANN)
            box.send(*[b"hello"] * 40)


def test_an_error_that_nobody_foresaw_is_that_letters_alone(
    box: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.send(bad(), bad(event_id="visit-2"))
    sound, odd = (letter.dead_letter_id for letter in box.waiting())
    for letter_id in (sound, odd):
        box.desk.edit(letter_id, MEND, *ANN)

    def replayed(codec: Codec, topic: str, limits: Limits, message: Message, now: datetime) -> bytes:
        if b"visit-1" in raw(message):
            raise ZeroDivisionError("Jane Roe")
        return replayable(codec, topic, limits, message, now)

    def seen(topic: str, content: Content) -> None:
        raise ZeroDivisionError("Jane Roe")

    def raw(message: Message) -> bytes:
        return cast(str, box.codec.decode(RAW, message.value or b"")["event_id"]).encode()

    monkeypatch.setattr("pipeline.dead_letters.desk.replayable", replayed)
    monkeypatch.setattr("pipeline.dead_letters.desk.shown", seen)
    told = box.desk.show(odd, "ann")
    assert (told.message, told.unread, told.unreplayable) == (None, *["refused: ZeroDivisionError"] * 2)
    done = box.desk.replay(EVERY, *ANN)
    assert (done.done, done.untouched) == (1, (Untouched(odd, "refused", "refused: ZeroDivisionError"),))
    assert box.one() == odd
    assert box.desk.drop([odd], *ANN).done == 1


def test_a_replay_whose_key_version_is_missing_does_not_stop_the_relay(box: Letterbox) -> None:
    box.send(bad())
    box.desk.edit(box.one(), MEND, *ANN)
    box.desk.replay(EVERY, *ANN)
    with box.database.transaction() as tx:
        write_outbox(tx, "profiles.updates", [b"k"], [b"v"])
    other = key_ring(KeyFile(current=2, keys={2: bytes(32)}, development=True))
    relay = Relay(box.stages.settings, box.database, box.publisher, threading.Event(), other)
    while relay.publish_some():
        pass
    assert [(m.topic, m.value) for m in box.publisher.log] == [("profiles.updates", b"v")]
    # it is not lost: it waits again, and goes out once the key is there
    assert box.desk.show(box.one(), "ann").actions[-1].action == "reopened"
    box.desk.edit(box.one(), MEND, *ANN)
    box.desk.replay(EVERY, *ANN)
    box.pump()
    assert len(box.events()) == 1


def test_nothing_is_told_of_letters_that_are_not_there(box: Letterbox) -> None:
    unknown = new_id()
    done = box.desk.replay([unknown, unknown], *ANN)
    assert (done.done, done.untouched) == (
        0,
        (Untouched(unknown, "refused", "there is no such dead letter"),),
    )
    with pytest.raises(NotFound):
        box.desk.edit(unknown, MEND, *ANN)


def test_no_plaintext_stays_in_postgres_and_actions_are_for_good(box: Letterbox) -> None:
    box.send(bad(), b'{"source": "Jane Roe, 4155552671')
    letters = box.waiting()
    (mended,) = (letter.dead_letter_id for letter in letters if letter.reason == "schema_violation")
    box.desk.edit(mended, Changes({"identifiers.phone": "+14155552671", "payload.jane@roe": "x"}), *ANN)
    box.desk.replay(EVERY, *ANN)
    words = ("Jane", "jane", "Roe", "4155552671", "postbox")
    assert not box.plaintext(*words)
    box.pump()
    assert len(box.events()) == 1
    assert not box.plaintext(*words)
    for change in ("UPDATE dead_letter_action SET actor = 'bob'", "DELETE FROM dead_letter_action"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            box.rows(change)

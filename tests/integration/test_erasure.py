"""People forgotten on a real Postgres: nothing of them is left that opens or leads to them, and the others stand as if
from scratch."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.audit.actions import Action
from pipeline.audit.breach import Breach
from pipeline.audit.entry import AuditEntry
from pipeline.codes import ReasonCode
from pipeline.erasure.again import erase_again, log_line, standing
from pipeline.erasure.erase import Erased, erase_person, forget_now, receipt_of
from pipeline.erasure.receipt import checked
from pipeline.errors import BadInput, BadMessage, Conflict, NotFound
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.joining import join_profiles
from pipeline.store.audit import write_audit
from pipeline.store.roles import Role
from pipeline.stream.publish import Outgoing
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.rollback import rollback_merge
from pipeline.unmerge.taking_out import take_out
from pipeline.verify.verification import verify
from tests.integration.test_answers import RULES, doubt, home_of
from tests.integration.test_unmerge import CARD, MAIL, PHONE, all_of_it, chain, merges, record
from tests.support.audit import AuditLog, tamper
from tests.support.letters import Letterbox
from tests.support.people import model, narrow, ring
from tests.support.pipeline import EventIn, StagesOnPostgres, event
from tests.support.reprocessing import Reprocessing

NOW = datetime(2026, 2, 1, tzinfo=UTC)
OTHER = {"email": "ben@mailbox.net"}


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    opened = StagesOnPostgres(database, rules=RULES)
    yield opened
    assert not faults(opened)
    opened.close()


def faults(stages: StagesOnPostgres) -> list[object]:
    return [f.as_dict() for f in verify(stages.database, ring(), model(), stages.rules).faults]


def erase(
    stages: StagesOnPostgres, profile: Id, *, rehearse: bool = False, plan: str | None = None
) -> Erased:
    asked = Asked("officer", "she asked for it", NOW, rehearse, plan)
    act = erase_person if rehearse or plan else forget_now
    return act(stages.stewardship(Role.ERASER), profile, asked)


def records_of(stages: StagesOnPostgres, profile: Id) -> list[Id]:
    return [r for (r,) in stages.rows("SELECT record_id FROM identity_record WHERE profile_id = %s", profile)]


def told(stages: StagesOnPostgres) -> str:
    """All that stands in any table but for the receipts and what is to be told on topics, as text."""
    apart = ("erasure", "erased_profile", "outbox", "steward_action", "audit_entry")
    return orjson.dumps(
        {n: [r for (r,) in rows] for n, rows in all_of_it(stages).items() if n not in apart}
    ).decode()


def test_nothing_is_left_that_leads_to_them(stages: StagesOnPostgres) -> None:
    chain(stages)
    stages.send(event(6, OTHER))
    profile, other = home_of(stages, 1), home_of(stages, 6)
    records = records_of(stages, profile)
    hashes = [
        h.hex()
        for (h,) in stages.rows("SELECT value_hash FROM record_identifier WHERE record_id = ANY(%s)", records)
    ]
    raws = [r for (r,) in stages.rows("SELECT raw_id FROM event WHERE record_id = ANY(%s)", records)]
    assert len(raws) == 5
    done = erase(stages, profile)
    assert done.done["events"] == 5
    assert done.done["profiles"] == 3
    assert done.done["merge log entries"] == 2
    left = told(stages)
    for gone in records:
        assert str(gone) not in left
    for value_hash in hashes:
        assert value_hash not in left
    assert stages.rows("SELECT count(*) FROM data_key WHERE owner_id = ANY(%s)", raws) == [(0,)]
    assert stages.rows("SELECT count(*) FROM customer_raw_event WHERE raw_id = ANY(%s)", raws) == [(5,)]
    assert stages.profiles() == {frozenset({"006"})}
    assert home_of(stages, 6) == other


def test_everybody_is_told_to_forget_every_id(stages: StagesOnPostgres) -> None:
    chain(stages)
    done = erase(stages, home_of(stages, 1))
    rows = stages.rows(
        "SELECT keys, payloads FROM outbox WHERE topic = 'profiles.updates' ORDER BY outbox_id"
    )
    last = {k: p for keys, payloads in rows for k, p in zip(keys, payloads, strict=True)}
    assert {bytes(k).decode() for k, p in last.items() if p == b""} == {str(p) for p in done.profiles}
    assert len(done.profiles) == 3


def test_a_rehearsal_tells_what_is_done_then(stages: StagesOnPostgres) -> None:
    chain(stages)
    profile, before = home_of(stages, 1), all_of_it(stages)
    rehearsed = erase(stages, profile, rehearse=True)
    assert all_of_it(stages) == before
    assert rehearsed.receipt is None
    stages.send(event(7, MAIL | {"device_id": "d-9"}))
    with pytest.raises(Conflict, match="no longer what plan"):
        erase(stages, profile, plan=rehearsed.plan)
    again = erase(stages, profile, rehearse=True)
    done = erase(stages, profile, plan=again.plan)
    assert done.done == again.done


def test_an_id_that_was_merged_away_forgets_the_whole_customer(stages: StagesOnPostgres) -> None:
    chain(stages)
    (merged,) = stages.rows("SELECT profile_id FROM customer_profile WHERE is_merged ORDER BY 1 LIMIT 1")[0]
    erase(stages, merged)
    assert stages.rows("SELECT count(*) FROM customer_profile") == [(0,)]


def test_who_is_unknown_or_erased_is_not_found(stages: StagesOnPostgres) -> None:
    stages.send(event(1, MAIL))
    profile = home_of(stages, 1)
    with pytest.raises(NotFound, match="no profile"):
        erase(stages, new_id())
    done = erase(stages, profile)
    with pytest.raises(NotFound):
        erase(stages, profile)
    with stages.database.transaction() as tx:
        assert receipt_of(tx, profile) == done.receipt
        assert receipt_of(tx, new_id()) is None


def test_events_that_come_again_bring_nobody_back(stages: StagesOnPostgres) -> None:
    sent: list[EventIn] = [event(1, MAIL), event(2, MAIL | PHONE)]
    stages.send(*sent)
    stages.send(sent[0])  # the same event at another place: its raw event has a key of its own
    assert stages.rows("SELECT count(*) FROM duplicate_event") == [(1,)]
    late = stages.normalized(sent[1])
    profile = home_of(stages, 1)
    erase(stages, profile)
    # what came and is not decided yet keeps its key until it is
    assert stages.rows("SELECT count(*) FROM data_key") == [(1,)]
    stages.deliver(late)
    stages.send(*sent)
    assert stages.profiles() == set()
    assert stages.rows("SELECT count(*) FROM data_key") == [(0,)]
    assert stages.rows("SELECT count(*) FROM customer_profile") == [(0,)]


def test_who_comes_back_is_somebody_else(stages: StagesOnPostgres) -> None:
    stages.send(event(1, MAIL))
    profile = home_of(stages, 1)
    erase(stages, profile)
    stages.send(event(2, MAIL))
    assert home_of(stages, 2) != profile


def test_no_merge_of_theirs_can_be_undone(stages: StagesOnPostgres) -> None:
    first, second = chain(stages)
    erase(stages, home_of(stages, 1))
    before = all_of_it(stages)
    for merge in (first, second):
        with pytest.raises(Conflict):
            stages.rollback(merge)
    assert all_of_it(stages) == before


def test_what_was_asked_about_them_is_asked_no_longer(stages: StagesOnPostgres) -> None:
    doubt(stages)
    review = stages.review()
    ((low, high),) = stages.rows(
        "SELECT low_profile, high_profile FROM review_queue WHERE review_id = %s", review
    )
    erase(stages, low)
    assert stages.rows("SELECT status, scoring_details::text FROM review_queue") == [("obsolete", "{}")]
    assert stages.outbox("identity.reviews")[-1]["status"] == "obsolete"
    assert stages.rows("SELECT profile_id FROM customer_profile") == [(high,)]


def test_dead_letters_that_speak_of_them_are_read_by_nobody(database: str) -> None:
    box = Letterbox(database)
    box.send(orjson.dumps(event(1, MAIL | PHONE)))

    def never(number: int, identifiers: dict[str, object]) -> bytes:
        return orjson.dumps({**event(number, identifiers), "occurred_at": "never"})

    theirs = [
        never(2, dict(MAIL)),
        never(3, {"email": ["ben@mailbox.net", "Anna+shop@mailbox.net"]}),
        never(4, {"phone": "(415) 555-0101"}),
        never(5, {"email": "anna@mailbox.net"}).replace(b"@", b"\\u0040"),
        b"{broken: ANNA@mailbox.net",
        b"{broken: tel. 415 555-0101;",
    ]
    others = [
        never(6, dict(OTHER)),
        never(7, {"email": "joanna@mailbox.net"}),
        never(8, {"phone": "+14155550102"}),
        b"{broken: joanna@mailbox.net",
    ]
    box.send(*theirs, *others)
    assert len(box.waiting()) == len(theirs) + len(others)
    done = erase(box.stages, home_of(box.stages, 1))
    assert done.done["dead letters"] == len(theirs)
    opened = [box.desk.show(letter.dead_letter_id, "officer").unread is None for letter in box.waiting()]
    assert sorted(opened) == [False] * len(theirs) + [True] * len(others)
    box.close()


def test_an_event_of_theirs_that_failed_on_its_way_opens_no_more(database: str) -> None:
    box = Letterbox(database)
    box.send(orjson.dumps(event(1, MAIL)))
    (failed,) = box.stages.normalized(event(2, MAIL))
    message = box.message(Outgoing("events.normalized", b"", failed))
    at = box.stages.batch("resolve", [message]).positions[0]
    box.stages.resolve.bury(message, at, BadMessage(ReasonCode.SCHEMA_VIOLATION, "no reason"))
    box.pump()
    assert len(box.waiting()) == 1
    done = erase(box.stages, home_of(box.stages, 1))
    assert done.done["dead letters"] == 2  # its letter, and its raw event
    assert box.rows("SELECT count(*) FROM data_key") == [(0,)]
    box.close()


def test_the_receipt_is_signed_and_names_nobody(stages: StagesOnPostgres) -> None:
    chain(stages)
    profile = home_of(stages, 1)
    document = erase(stages, profile).receipt
    assert document is not None
    found = checked(document, ring().receipt_keys())
    assert len(found.receipt.profiles) == 3
    assert profile in [Id(p.bytes) for p in found.receipt.profiles]
    assert {r.where for r in found.receipt.remains} >= {"events.raw", "events.linked", "profiles.updates"}
    for value in (*MAIL.values(), *PHONE.values(), *CARD.values()):
        assert value.encode() not in document
    read = orjson.loads(document)
    for changed in (
        {**read, "receipt": {**read["receipt"], "reason": "another one"}},
        {**read, "receipt": {**read["receipt"], "done": {**read["receipt"]["done"], "events": 4}}},
        {**read, "signature": read["public_key"]},
    ):
        with pytest.raises(BadInput, match="signature"):
            checked(orjson.dumps(changed), ring().receipt_keys())
    with pytest.raises(BadInput, match="key_version"):
        checked(document, {2: b"x" * 32})
    with pytest.raises(BadInput, match="no receipt"):
        checked(b"[]", ring().receipt_keys())


def steward(stages: StagesOnPostgres, chance: Random, standing: list[Id], act: int) -> None:
    """Take a record out, join two, or undo a merge; what cannot be done is left."""
    asked, by = Asked("ann", "I know them", NOW), stages.stewardship(Role.ERASER)
    with suppress(Conflict, NotFound, BadInput):
        if act == 0:
            profile = chance.choice(standing)
            take_out(by, profile, [chance.choice(records_of(stages, profile))], (), asked)
        elif act == 1 and len(standing) > 1:
            join_profiles(by, chance.sample(standing, 2), asked)
        elif logged_merges := merges(stages):
            rollback_merge(by, chance.choice(logged_merges), asked)


@pytest.mark.parametrize("seed", range(int(os.environ.get("RB_TEST_CROWDS", "6"))))
def test_the_others_stand_as_if_from_scratch(database: str, seed: int) -> None:
    """Crowds that share what a few people may share: limits are crossed, rows of twins close, doubts go."""
    rules = replace(narrow(cap=12, limit=3), review=RULES.review)
    stages = StagesOnPostgres(database, rules=rules)
    chance = Random(seed)
    names = ["Anna", "Anne", "Ben", "Berta", "Carl"]

    def drawn(number: int) -> EventIn:
        identifiers: dict[str, object] = {"cookie_id": f"c-{chance.randrange(12)}"}
        if chance.random() < 0.6:
            identifiers["email"] = f"{chance.choice(['team', 'anna', 'ben'])}@mailbox.net"
        if chance.random() < 0.3:
            identifiers["phone"] = f"+141555501{chance.randrange(4):02d}"
        traits = {"first_name": chance.choice(names), "last_name": chance.choice(["Meyer", "Kowalski"])}
        return event(number, identifiers, traits=traits if chance.random() < 0.7 else {})

    number = 0
    for _ in range(6):
        stages.send(*[drawn(number := number + 1) for _ in range(8)], batch=3)
        standing = [p for (p,) in stages.rows("SELECT DISTINCT profile_id FROM identity_record ORDER BY 1")]
        for act in range(3):
            standing = [
                p for (p,) in stages.rows("SELECT DISTINCT profile_id FROM identity_record ORDER BY 1")
            ]
            steward(stages, chance, standing, act)
        assert faults(stages) == []
        standing = [p for (p,) in stages.rows("SELECT DISTINCT profile_id FROM identity_record ORDER BY 1")]
        for profile in chance.sample(standing, min(2, len(standing))):
            erase(stages, profile)
            assert faults(stages) == []
    assert stages.rows("SELECT count(*) FROM erasure") == [(12,)]
    log = AuditLog(database)
    log.chain()
    assert not log.verify().findings, "what others came to by it is told as well"
    log.database.close()
    stages.close()


def test_what_too_many_shared_stays_shared(database: str) -> None:
    """Who is left was judged by it, and one person less does not make a till's e-mail somebody's own."""
    stages = StagesOnPostgres(database, rules=narrow(cap=50, limit=2))
    names = ["Anna", "Ben", "Carl", "Dora", "Emil", "Fred"]
    for number, name in enumerate(names):
        traits = {"first_name": name, "last_name": f"{name}son", "date_of_birth": f"198{number}-01-02"}
        stages.send(event(number, {"email": "till@mailbox.net", "loyalty_id": f"L-{number}"}, traits=traits))
    worn = stages.rows("SELECT key, step, lost FROM worn_key ORDER BY key")
    assert worn
    for number in range(4):
        erase(stages, home_of(stages, number))
        assert faults(stages) == []
    assert stages.rows("SELECT key, step, lost FROM worn_key ORDER BY key") == worn
    stages.send(event(20, {"email": "till@mailbox.net", "loyalty_id": "L-20"}))
    assert faults(stages) == []
    stages.close()


def logged(stages: StagesOnPostgres) -> list[bytes]:
    """What `erase log` prints."""
    with stages.database.transaction() as tx:
        return [log_line(bytes(document), events) for document, events in tx.rows("read_erasures")]


def without_the_erasure(stages: StagesOnPostgres) -> None:
    """As a backup has it that is older."""
    with stages.database.transaction() as tx:
        tx.connection.execute("ALTER TABLE erasure DISABLE TRIGGER USER")
        tx.connection.execute("DELETE FROM event_index WHERE erased_by IS NOT NULL")
        tx.connection.execute("TRUNCATE erased_profile, erasure, kept_wear")
        tx.connection.execute("ALTER TABLE erasure ENABLE TRIGGER USER")


def test_a_restored_backup_is_made_to_forget_again(stages: StagesOnPostgres) -> None:
    """What a backup brings back is what stood before, here made of the same events; what it lacks comes again later."""
    sent: list[EventIn] = [event(1, MAIL), event(2, MAIL | PHONE), event(3, PHONE)]
    stages.send(*sent)
    document = erase(stages, home_of(stages, 1)).receipt
    assert document is not None
    receipt = checked(document, ring().receipt_keys()).receipt
    (line,) = logged(stages)
    assert standing(stages.database, receipt) == {}
    without_the_erasure(stages)
    stages.send(*sent[:2])
    stages.send(event(4, OTHER))
    other = json.loads(line)
    changed = [
        orjson.dumps({**other, "events": other["events"][1:]}),
        orjson.dumps({n: v for n, v in other.items() if n != "events"}),
        b"{}",
    ]
    for wrong in changed:
        with pytest.raises(BadInput, match="line 2"):
            erase_again(stages.stewardship(Role.ERASER), [line, wrong], "officer", NOW)
    assert stages.profiles() == {frozenset({"001", "002"}), frozenset({"004"})}
    done = erase_again(stages.stewardship(Role.ERASER), [line, b"\n"], "officer", NOW)
    assert (done.erasures, done.forgotten, done.unclear) == (1, 1, ())
    stages.send(*sent)
    assert stages.profiles() == {frozenset({"004"})}
    assert erase_again(stages.stewardship(Role.ERASER), [line], "officer", NOW).forgotten == 0
    with stages.database.transaction() as tx:
        kept = receipt_of(tx, Id(receipt.profiles[0].bytes))
    assert kept is not None
    assert checked(kept, ring().receipt_keys()).receipt == receipt


def test_who_stood_together_with_others_in_a_backup_is_told(stages: StagesOnPostgres) -> None:
    stages.send(event(1, MAIL), event(2, PHONE))
    erase(stages, home_of(stages, 1))
    (line,) = logged(stages)
    without_the_erasure(stages)
    stages.send(event(1, MAIL), event(3, MAIL | PHONE))
    together = home_of(stages, 1)
    done = erase_again(stages.stewardship(Role.ERASER), [line], "officer", NOW)
    assert (done.forgotten, done.unclear) == (0, (together,))
    assert home_of(stages, 1) == together


def test_no_id_of_theirs_is_given_again(stages: StagesOnPostgres) -> None:
    """Somebody whose records once stood in a profile that was merged into theirs, and were taken out since."""
    stages.send(event(1, MAIL), event(2, MAIL | {"device_id": "d-1"}))
    stages.send(event(3, PHONE))
    stages.send(event(4, MAIL | PHONE))
    (merge,) = merges(stages)
    theirs = home_of(stages, 1)
    taken = [record(stages, n) for n in (2, 3, 4)]
    take_out(stages.stewardship(), theirs, taken, (), Asked("ann", "another one", NOW))
    assert home_of(stages, 3) != theirs
    done = erase(stages, theirs)
    stages.rollback(merge)
    standing_now = {p for (p,) in stages.rows("SELECT profile_id FROM customer_profile")}
    assert home_of(stages, 3) != home_of(stages, 2), "it is undone all the same"
    assert not standing_now & set(done.profiles)


def test_a_replay_brings_nobody_back(database: str, stages: StagesOnPostgres) -> None:
    """What one decides beside the house goes with the person; one that is built afterwards knows nothing of them."""
    sent: list[EventIn] = [event(1, MAIL), event(2, MAIL | PHONE), event(3, OTHER)]
    stages.send(*sent)
    before, after = Reprocessing(stages, database), Reprocessing(stages, database, schema="later")
    before.build()
    done = erase(stages, home_of(stages, 1))
    assert done.done["replays in the making"] == 1
    assert stages.rows("SELECT count(*) FROM shadow.data_key") == [(1,)]
    with pytest.raises(Conflict, match="forgotten"):
        before.activate()
    after.build()
    after.activate()
    stages.send(*sent)
    assert stages.profiles() == {frozenset({"003"})}
    for replay in (before, after):
        replay.close()


async def test_a_customer_is_forgotten_over_http(client: httpx.AsyncClient, stages: StagesOnPostgres) -> None:
    chain(stages)
    profile = str(home_of(stages, 1))
    path = f"/v1/profiles/{profile}"
    refused = await client.delete(path)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith("query.reason: ")
    told = (await client.delete(path, params={"reason": "request 17", "dry_run": True})).json()
    assert (told["dry_run"], told["receipt"]) == (True, None)
    assert (await client.get(path)).status_code == 200
    assert (await client.get(f"{path}/erasure")).status_code == 404
    planned = {"reason": "request 17", "actor": "ann"}
    unplanned = await client.delete(path, params=planned)
    assert unplanned.json()["error"]["message"].startswith("plan: ")
    wrong = await client.delete(path, params={**planned, "plan": "0" * 16})
    assert wrong.status_code == 409
    done = (await client.delete(path, params={**planned, "plan": told["plan"]})).json()
    assert done["done"] == told["done"]
    assert done["receipt"]["receipt"]["actor"] == "ann"
    assert (await client.get(path, headers={"Cache-Control": "no-cache"})).status_code == 404
    assert (await client.delete(path, params={**planned, "dry_run": True})).status_code == 404
    for led in done["profiles"]:
        kept = await client.get(f"/v1/profiles/{led}/erasure")
        assert kept.json() == done["receipt"]
    assert checked(kept.content, ring().receipt_keys()).receipt.actor == "ann"


def run(*command: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["erase", *command])
    assert result.exit_code == status, result.output
    return result.output


@pytest.mark.usefixtures("command_line")
def test_a_customer_is_forgotten_from_the_command_line(stages: StagesOnPostgres, tmp_path: Path) -> None:
    chain(stages)
    profile, receipt = str(home_of(stages, 1)), tmp_path / "receipt.json"
    told = run("person", profile, "--reason", "request 17", "--dry-run")
    plan = told.partition("plan ")[2][:16]
    assert "5 events would go" in told
    assert "5 events gone" in run(
        "person", profile, "--reason", "request 17", "--plan", plan, "--receipt", str(receipt)
    )
    assert "Nothing of the person stands in Postgres." in run("verify", str(receipt))
    key = base64.b64encode(ring().receipt_keys()[1]).decode()
    assert "The signature holds" in run("verify", str(receipt), "--public-key", key)
    log = tmp_path / "log.ndjson"
    log.write_text(run("log"))
    line = json.loads(log.read_text())
    assert len(line.pop("events")) == 5
    assert line == json.loads(receipt.read_text())
    assert run("again", str(log)) == "1 erasures; 0 customers stood again and were forgotten\n"
    receipt.write_bytes(receipt.read_bytes().replace(b"request 17", b"request 18"))
    with pytest.raises(BadInput, match="signature"):
        CliRunner().invoke(app, ["erase", "verify", str(receipt)], catch_exceptions=False)


@pytest.mark.parametrize(
    "named", ["nobody", "somebody else", "who was forgotten", "who was, at another time"]
)
def test_an_erasure_that_never_was_hides_no_change_of_the_merge_log(
    database: str, stages: StagesOnPostgres, named: str
) -> None:
    """What an erasure names of the merge log may say something else since; but only a signed receipt makes it one."""
    log = AuditLog(database)
    gone = home_of(stages, chain_and_ben(stages))
    erase(stages, gone)
    log.chain()
    assert log.verify().findings == ()
    ((merge,),) = stages.rows("SELECT merge_log_id FROM identity_merge_log ORDER BY 1 LIMIT 1")
    tamper(database, f"UPDATE identity_merge_log SET reason = 'another' WHERE merge_log_id = '{merge}'")
    assert {f.breach for f in log.verify().findings} == {Breach.MERGE_LOG}
    profiles = {"nobody": [], "somebody else": [new_id()]}.get(named, [gone])
    at = NOW + timedelta(hours=1) if named == "who was, at another time" else NOW
    with log.database.transaction() as tx:
        names = [o for (o,) in tx.rows("told_with", {"objects": [f"merge_log:{merge}"]})]
        write_audit(tx, AuditEntry(Action.CUSTOMER_ERASED, "officer", at, profiles, names))
    log.chain()
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.ERASURE, log.chain().seq)
    tamper(database, "UPDATE erasure SET receipt = 'x'")
    assert [f.breach for f in log.verify().findings] == [Breach.ERASURE] * 2
    log.close()


def chain_and_ben(stages: StagesOnPostgres) -> int:
    """A chain of merges, and a customer of one event whose number is returned."""
    chain(stages)
    stages.send(event(90, {"email": "carla@mailbox.net"}))
    return 90


def test_the_audit_log_tells_of_it_and_still_holds(database: str, stages: StagesOnPostgres) -> None:
    """Entries of the merge log that were cut say something else than was chained: that is told, and what they say is
    held to."""
    log = AuditLog(database)
    chain(stages)
    log.chain()
    assert not log.verify().findings
    erase(stages, home_of(stages, 1))
    log.chain()
    assert not log.verify().findings
    ((actor, reason, objects),) = stages.rows(
        "SELECT actor, reason, objects FROM audit_entry WHERE action = 'customer.erased'"
    )
    assert (actor, reason, len(objects)) == ("officer", "she asked for it", 2)
    with stages.database.transaction() as tx:
        tx.connection.execute("UPDATE identity_merge_log SET reason = 'another one'")
    (found,) = log.verify().findings
    assert found.breach is Breach.MERGE_LOG
    log.database.close()

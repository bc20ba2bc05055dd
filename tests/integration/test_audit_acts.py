"""Every audited act leaves exactly its entry, in its own transaction; what is not done leaves none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app
from infra.migrate import migrate
from pipeline.answer import Answer
from pipeline.audit.breach import Breach
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.ids import new_id
from pipeline.store.configurations import InForce
from pipeline.store.pauses import pause_stage, resume_stage
from tests.integration.test_answers import RULES, doubt, home_of
from tests.integration.test_dead_letters import bad
from tests.integration.test_joining import strangers
from tests.integration.test_replay import APART, LIVE
from tests.integration.test_unmerge import chain
from tests.integration.test_webhook_deliveries import Kept
from tests.support.audit import AuditLog, tamper
from tests.support.letters import Letterbox
from tests.support.people import model, policy
from tests.support.pipeline import StagesOnPostgres, event
from tests.support.reprocessing import Reprocessing

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def audit(database: str) -> Iterator[AuditLog]:
    with closing(AuditLog(database)) as opened:
        yield opened


@pytest.fixture
def stages(database: str) -> Iterator[StagesOnPostgres]:
    with closing(StagesOnPostgres(database, rules=RULES)) as opened:
        yield opened


def holds(audit: AuditLog) -> None:
    audit.chain()
    assert audit.verify().findings == ()


# ── the pipeline ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_that_merges_leaves_one_entry(stages: StagesOnPostgres, audit: AuditLog) -> None:
    stages.send(
        event(1, {"email": "ann@mailbox.net"}),
        event(2, {"phone": "+14155550101"}),
        event(3, {"email": "ben@mailbox.net"}),
        event(4, {"phone": "+14155550102"}),
    )
    assert audit.actions() == ["configuration.in_force"]
    homes = {n: home_of(stages, n) for n in (1, 2, 3, 4)}
    stages.send(
        event(5, {"email": "ann@mailbox.net", "phone": "+14155550101"}),
        event(6, {"email": "ben@mailbox.net", "phone": "+14155550102"}),
    )
    stages.send(event(7, {"email": "ann@mailbox.net"}))
    ((actor, profiles, objects, reason, request_id, details),) = audit.told("identity.decided")
    assert (actor, reason, request_id) == ("resolve", None, None)
    assert sorted(profiles) == sorted(homes.values())
    logged = [
        f"merge_log:{i}" for (i,) in stages.rows("SELECT merge_log_id FROM identity_merge_log ORDER BY 1")
    ]
    assert (len(logged), sorted(objects)) == (2, logged)
    assert len(details["merge_logs"]) == 64
    holds(audit)


@pytest.mark.parametrize(
    "change",
    [
        "confidence_score = 0.5",
        "reason = 'another'",
        "records = '{}'",
        "scoring_details = '{}'",
        "source_snapshot = source_snapshot - 'version'",
        "decided_at = decided_at + interval '1 microsecond'",
    ],
)
def test_what_the_merge_log_says_is_vouched_for(
    stages: StagesOnPostgres, audit: AuditLog, database: str, change: str
) -> None:
    merge, _ = chain(stages)
    stages.rollback(merge)
    holds(audit)
    tamper(database, f"UPDATE identity_merge_log SET {change} WHERE merge_log_id = '{merge}'")
    found = audit.verify().findings
    assert {f.breach for f in found} == {Breach.MERGE_LOG}
    assert len(found) == 2, "what the pipeline and the rollback said of it"
    assert all(f.seq is not None for f in found)


def test_a_merge_that_nobody_told_of_is_found(
    stages: StagesOnPostgres, audit: AuditLog, database: str
) -> None:
    merge, _ = chain(stages)
    holds(audit)
    forged = new_id()
    tamper(
        database,
        f"CREATE TEMP TABLE forged AS SELECT * FROM identity_merge_log WHERE merge_log_id = '{merge}'",
        f"UPDATE forged SET merge_log_id = '{forged}'",
        "INSERT INTO identity_merge_log SELECT * FROM forged",
        "DROP TABLE forged",
    )
    (found,) = audit.verify().findings
    assert (found.breach, found.seq) == (Breach.MERGE_LOG, None)
    assert str(forged) in found.detail
    tamper(database, f"DELETE FROM identity_merge_log WHERE merge_log_id IN ('{forged}', '{merge}')")
    (found,) = audit.verify().findings
    assert found.breach is Breach.MERGE_LOG


def test_a_configuration_that_comes_into_force_is_told_once(audit: AuditLog) -> None:
    for version in ("one", "one", "two"):
        InForce("resolve", replace(model(), version=version), policy()).ensure(audit.database)
        audit.database.close()
    told = audit.told("configuration.in_force")
    decides = [["stage:resolve", f"model:{v}", f"policy:{policy().version}"] for v in ("one", "two")]
    assert [(actor, objects) for actor, _, objects, *_ in told] == [("resolve", d) for d in decides]


# ── stewards ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_one_entry_with_the_merges_that_it_made(
    stages: StagesOnPostgres, audit: AuditLog
) -> None:
    review = doubt(stages)
    both = sorted((home_of(stages, 1), home_of(stages, 2)))
    before = len(audit.actions())
    (merge,) = stages.answer(review, Answer.APPROVED).merge_log_ids
    stages.answer(review, Answer.APPROVED)
    with pytest.raises(Conflict):
        stages.answer(review, Answer.REJECTED)
    stages.rollback(merge, rehearse=True)
    assert audit.actions()[before:] == ["steward.approve"]
    ((actor, profiles, objects, reason, _, details),) = audit.told("steward.approve")
    assert (actor, profiles, reason) == ("steward", both, "I know them")
    assert objects == [f"review:{review}", f"merge_log:{merge}"]
    assert list(details) == ["merge_logs"]
    stages.rollback(merge)
    assert audit.actions()[before:] == ["steward.approve", "steward.rollback"]
    holds(audit)


def test_customers_that_are_decided_afresh_in_place_of_an_answer_are_told(
    stages: StagesOnPostgres, audit: AuditLog
) -> None:
    review = doubt(stages)
    stages.send(event(3, {"loyalty_id": "L-1001", "cookie_id": "c-1"}))
    stages.rules = replace(policy(), auto_merge=1.0, version="strict")
    before = len(audit.actions())
    with pytest.raises(Conflict, match="more would change"):
        stages.answer(review, Answer.REJECTED)
    assert audit.actions()[before:] == ["identity.decided"]
    ((actor, _, objects, reason, *_),) = audit.told("identity.decided")[-1:]
    assert (actor, reason, len(objects)) == ("steward", None, 1)
    holds(audit)


async def test_by_whose_key_a_steward_acted_is_told(
    client: httpx.AsyncClient, stages: StagesOnPostgres, audit: AuditLog
) -> None:
    one, two, _ = strangers(stages)
    join = {"reason": "the same", "actor": "ann", "profiles": [str(one), str(two)]}
    assert (await client.post("/v1/profiles:merge", json=join)).status_code == 200
    ((actor, key, key_id),) = audit.rows(
        "SELECT actor, api_key, api_key_id FROM audit_entry WHERE action = 'steward.merge'"
    )
    assert (actor, key) == ("ann", f"api-key:{key_id}")
    holds(audit)


# ── the house ─────────────────────────────────────────────────────────────────────────────────────────────────────


def command(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("command_line")
def test_what_is_done_with_api_keys_is_told(audit: AuditLog) -> None:
    by = ("--actor", "ann", "--reason", "ticket 7")
    secret = command("api-keys", "create", "shop", "--scope=read", "--scope=read:pii", "--expires=90d", *by)
    with pytest.raises(Conflict):
        command("api-keys", "create", "shop", "--scope=read", *by)
    command("api-keys", "rotate", "shop", "--grace=1h", *by)
    command("api-keys", "revoke", "shop", *by)
    with pytest.raises(NotFound):
        command("api-keys", "revoke", "shop", *by)
    told = audit.told()
    assert audit.actions() == ["api_key.created", "api_key.rotated", "api_key.revoked"]
    key_id = secret.split("_")[1]
    assert {(actor, *objects, reason) for actor, _, objects, reason, *_ in told} == {
        ("ann", f"api_key:{key_id}", "ticket 7")
    }
    created, rotated, revoked = (details for *_, details in told)
    assert (created["name"], created["scopes"]) == ("shop", ["read", "read:pii"])
    assert set(created) == {"name", "scopes", "expires_at"}
    assert set(rotated) == {"name", "former_until", "expires_at"}
    assert revoked == {"name": "shop"}
    assert secret.strip().split("_")[2] not in str(audit.rows("SELECT audit_entry::text FROM audit_entry"))
    holds(audit)


def test_what_is_done_with_webhooks_is_told(audit: AuditLog, database: str) -> None:
    kept = Kept(database)
    kept.desk.change(kept.id, actor="ann", url="http://127.0.0.1:2/secret", enabled=False, description="x")
    kept.desk.rotate(kept.id, timedelta(hours=1), "ann")
    kept.desk.remove(kept.id, "ann")
    for act in (
        lambda: kept.desk.change(kept.id, actor="ann", enabled=True),
        lambda: kept.desk.rotate(kept.id, timedelta(hours=1), "ann"),
        lambda: kept.desk.remove(kept.id, "ann"),
    ):
        with pytest.raises(NotFound):
            act()
    assert audit.actions() == ["webhook.added", "webhook.changed", "webhook.rotated", "webhook.removed"]
    told = audit.told()
    assert [actor for actor, *_ in told] == ["test", "ann", "ann", "ann"]
    assert {tuple(objects) for _, _, objects, *_ in told} == {(f"webhook:{kept.id}",)}
    added, changed, *_ = (details for *_, details in told)
    assert added["host"] == "127.0.0.1"
    assert "event.linked" in added["types"]
    assert changed == {"host": "127.0.0.1", "enabled": False, "description": True}
    assert "secret" not in str(audit.rows("SELECT audit_entry::text FROM audit_entry"))
    holds(audit)


async def test_over_http_the_key_is_told_beside_the_actor(
    client: httpx.AsyncClient, audit: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.webhooks.desk.bounds", lambda *_: {})
    monkeypatch.setattr("pipeline.webhooks.desk.addresses", lambda *_, **__: [])
    added = await client.post("/v1/webhooks", json={"url": "https://example.com/h", "actor": "ann"})
    assert added.status_code == 201, added.text
    path = f"/v1/webhooks/{added.json()['webhook']['webhook_id']}"
    assert (await client.patch(path, json={"enabled": False})).status_code == 200
    assert (await client.post(f"{path}:rotate", json={})).status_code == 200
    assert (await client.delete(path)).status_code == 204
    rows = audit.rows(
        "SELECT action, actor, api_key, api_key_id, request_id FROM audit_entry "
        "WHERE action LIKE 'webhook%%' ORDER BY entry_id"
    )
    key = rows[0][2]
    assert added.json()["webhook"]["created_by"] == f"ann by {key}"
    assert [(action, actor) for action, actor, *_ in rows] == [
        ("webhook.added", "ann"),
        ("webhook.changed", key),
        ("webhook.rotated", key),
        ("webhook.removed", key),
    ]
    assert {(k, i) for _, _, k, i, _ in rows} == {(key, key.removeprefix("api-key:"))}
    assert all(request_id for *_, request_id in rows)


async def test_what_is_done_with_dead_letters_is_told(
    client: httpx.AsyncClient, audit: AuditLog, database: str
) -> None:
    with closing(Letterbox(database)) as box:
        box.send(bad(), bad(event_id="another"), b"hello")
        letters = {str(letter.dead_letter_id): letter.topic for letter in box.waiting()}
        mended, *_ = [str(i) for i in letters]
        await client.get("/v1/dead-letters")
        assert not [a for a in audit.actions() if a.startswith("dead_letter")]
        ids = [i for i in letters if "identifiers" in (await client.get(f"/v1/dead-letters/{i}")).text]
        looked = len(letters)
        assert [a for a in audit.actions() if a.startswith("dead_letter")] == ["dead_letter.read"] * looked
        mended, other = ids[:2]
        mend = {
            "set": {"identifiers.phone": "+14155552671"},
            "reason": "the till sent numbers",
            "actor": "ann",
        }
        assert (await client.patch(f"/v1/dead-letters/{mended}", json=mend)).status_code == 200
        await client.post("/v1/dead-letters:replay", json={"ids": [mended, other], "dry_run": True})
        await client.post("/v1/dead-letters:replay", json={"ids": [mended, other]})
        await client.post(f"/v1/dead-letters/{mended}/replay", json={})
        await client.post("/v1/dead-letters:drop", json={"choose": {}, "reason": "a test", "actor": "ann"})
        gone = await client.get(f"/v1/dead-letters/{other}")
        assert gone.json()["message"] is None
    told = [
        (action, actor, objects, reason, details)
        for action, actor, objects, reason, details in audit.rows(
            "SELECT action, actor, objects, reason, details FROM audit_entry "
            "WHERE action LIKE 'dead_letter%%' ORDER BY entry_id"
        )
    ][looked:]
    assert [action for action, *_ in told] == [
        "dead_letter.edited",
        "dead_letter.replayed",
        "dead_letter.dropped",
    ]
    edited, replayed, dropped = told
    named = [f"dead_letter:{i}" for i in (mended, other)]
    assert edited[1:] == ("ann", [named[0]], "the till sent numbers", {"fields": ["identifiers.phone"]})
    assert (replayed[2], replayed[3]) == ([named[0]], None), "the other one cannot be replayed"
    assert dropped[1] == "ann"
    assert sorted(dropped[2]) == sorted(f"dead_letter:{i}" for i in letters if i != mended)
    assert "4155552671" not in str(audit.rows("SELECT audit_entry::text FROM audit_entry"))
    holds(audit)


def test_what_changes_nothing_of_a_webhook_is_not_told(audit: AuditLog, database: str) -> None:
    kept = Kept(database)
    found = kept.desk.found(kept.id)

    def change(**given: object) -> list[object]:
        """What the log tells of it."""
        before = len(audit.told("webhook.changed"))
        kept.desk.change(kept.id, actor="ann", **given)  # type: ignore[arg-type]
        return [details for *_, details in audit.told("webhook.changed")][before:]

    same = {"url": found.url, "types": found.types, "description": found.description, "enabled": True}
    assert change() == []
    assert change(**same) == []
    assert change(**same | {"types": found.types[1:]}) == [{"types": sorted(found.types[1:])}]
    assert change(begin="latest") == [{"from": "latest"}]
    audit.rows("UPDATE webhook SET dead_in_a_row = 1 RETURNING 1")
    assert change(enabled=True) == [{"enabled": True}], "what failed is tried anew"
    assert change(enabled=True) == []
    assert change(enabled=False) == [{"enabled": False}]
    assert change(enabled=False) == []


def test_a_stage_that_pauses_and_is_resumed_is_told(audit: AuditLog) -> None:
    with audit.database.transaction() as tx:
        pause_stage(tx, "normalize", "too many dead letters", NOW)
        pause_stage(tx, "normalize", "another worker found so too", NOW)
        resume_stage(tx, "normalize", "ann", "mended", NOW)
    assert audit.told() == [
        ("normalize", [], ["stage:normalize"], "too many dead letters", None, {}),
        ("ann", [], ["stage:normalize"], "mended", None, {}),
    ]
    with pytest.raises(Conflict), audit.database.transaction() as tx:
        resume_stage(tx, "normalize", "ann", "mended", NOW)
    assert audit.actions() == ["stage.paused", "stage.resumed"]


def test_a_replay_is_told_when_it_is_put_in_force(audit: AuditLog, database: str) -> None:
    """What merges in the shadow on its way there is no decision: its pages are of seven events."""
    mail, phone, anna = (
        {"email": "ann@mailbox.net"},
        {"phone": "+14155550101"},
        {"traits": {"first_name": "Anna"}},
    )
    with closing(StagesOnPostgres(database, rules=APART)) as stages:
        stages.send(event(1, mail, **anna), event(2, phone, **anna))
        stages.send(*(event(n, {"email": f"customer{n}@mailbox.net"}) for n in range(3, 11)))
        stages.send(event(11, mail | phone, **anna))
        apart = {home_of(stages, n) for n in (1, 2)}
        assert len(apart) == 2
        stages.deploy(LIVE)
        before = len(audit.actions())
        with closing(Reprocessing(stages, database)) as replay:
            found = replay.compare()
            assert stages.rows("SELECT FROM shadow.identity_merge_log")
            assert audit.actions()[before:] == []
            replay.activate()
        assert home_of(stages, 1) == home_of(stages, 2)
    assert audit.actions()[before:] == ["replay.activated", "identity.decided"]
    ((actor, _, objects, reason, _, details),) = audit.told("replay.activated")
    assert (actor, reason, details["plan"]) == ("ann", "a better policy", found.plan)
    assert objects == ["shadow:shadow", f"model:{model().version}", f"policy:{LIVE.version}"]
    assert details["counts"]["merged"] >= 2
    ((_, profiles, logged, *_),) = audit.told("identity.decided")
    assert apart <= set(profiles)
    assert len(logged) == len(audit.rows("SELECT FROM identity_merge_log WHERE actor = 'ann'"))
    holds(audit)


def test_an_act_that_cannot_be_told_is_not_done(
    stages: StagesOnPostgres, audit: AuditLog, database: str
) -> None:
    with audit.database.transaction() as tx:
        pause_stage(tx, "normalize", "too many dead letters", NOW)
    tamper(database, "ALTER TABLE audit_entry ADD CONSTRAINT shut CHECK (actor = 'nobody') NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation), audit.database.transaction() as tx:
        resume_stage(tx, "normalize", "ann", "mended", NOW)
    assert stages.rows("SELECT resumed_at FROM stage_pause") == [(None,)]
    with pytest.raises(psycopg.errors.CheckViolation):
        stages.send(event(1, {"email": "ann@mailbox.net"}))
    assert not stages.rows("SELECT FROM configuration_in_force")
    assert not stages.rows("SELECT FROM event")


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("command_line")
def test_who_has_customers_exported_is_told(
    stages: StagesOnPostgres, audit: AuditLog, database: str, tmp_path: Path
) -> None:
    stages.send(event(1, {"email": "ann@mailbox.net"}))
    out = tmp_path / "all.csv"
    with pytest.raises(BadInput, match="cannot be written"):
        command("export", "--out", str(tmp_path / "none" / "all.csv"))
    assert audit.told("customers.exported") == []
    command("export", "--out", str(out), "--source", "web", "--actor", "ann", "--reason", "audit 2026")
    ((actor, profiles, objects, reason, _, details),) = audit.told("customers.exported")
    assert (actor, profiles, objects, reason) == ("ann", [], [], "audit 2026")
    assert details == {"sources": ["web"]}
    out.unlink()
    tamper(database, "ALTER TABLE audit_entry ADD CONSTRAINT shut CHECK (actor = 'nobody') NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        command("export", "--out", str(out))
    assert not out.exists()


@pytest.mark.usefixtures("command_line")
def test_who_explains_with_values_as_they_are_is_told(
    stages: StagesOnPostgres, audit: AuditLog, database: str
) -> None:
    doubt(stages)
    one, two = (str(home_of(stages, n)) for n in (1, 2))
    assert "kowalski" not in command("explain", one, two)
    assert not audit.told("customer.revealed")
    assert "kowalski" in command("explain", one, two, "--reveal", "--actor", "ann", "--reason", "ticket 7")
    ((actor, profiles, _, reason, *_),) = audit.told("customer.revealed")
    assert (actor, reason) == ("ann", "ticket 7")
    assert sorted(map(str, profiles)) == sorted((one, two))
    tamper(database, "ALTER TABLE audit_entry ADD CONSTRAINT shut CHECK (actor = 'nobody') NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        command("explain", one, two, "--reveal")


@pytest.mark.usefixtures("command_line")
def test_who_removes_a_shadow_is_told(audit: AuditLog, database: str) -> None:
    with (
        closing(StagesOnPostgres(database, rules=LIVE)) as stages,
        closing(Reprocessing(stages, database)) as replay,
    ):
        stages.send(event(1, {"email": "ann@mailbox.net"}))
        replay.build()
    command("replay", "--drop", "--actor", "ann")
    assert [(actor, objects) for actor, _, objects, *_ in audit.told("replay.dropped")] == [
        ("ann", ["shadow:shadow"])
    ]


def test_a_migration_is_told_once(audit: AuditLog, database: str) -> None:
    before = audit.rows("SELECT count(*) FROM audit_entry")
    assert migrate(database) == ()
    assert audit.rows("SELECT count(*) FROM audit_entry") == before

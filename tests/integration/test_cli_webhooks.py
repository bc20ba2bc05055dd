"""`retail-brain webhooks`: a webhook from its first day to its last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.changes.change import Change
from pipeline.changes.kinds import ChangeType
from pipeline.changes.reader import Bounds
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.settings import settings
from pipeline.store.database import Database
from pipeline.store.webhooks import note_delivery
from pipeline.webhooks.schedule import Dead
from pipeline.webhooks.sending import Outcome
from tests.support.receiver import Receiver, receiving, verified

Json = dict[str, object]


@pytest.fixture
def receiver(command_line: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("RB_WEBHOOK_ALLOW_PRIVATE", "true")
    monkeypatch.setattr(
        "pipeline.webhooks.desk.bounds",
        lambda settings, topics, client: {(topic, 0): Bounds(0, 7) for topic in topics},
    )
    settings.cache_clear()
    with receiving() as made:
        yield made


def run(*command: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["webhooks", *command], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.output


def data(*command: str, status: int = 0) -> Json:
    found: Json = json.loads(run(*command, "--json", status=status))
    return found


def died(webhook_id: str, offset: int) -> None:
    change = Change(ChangeType.EVENT_LINKED, ("events.linked", 0), offset, frozenset(), b"{}")
    now, dsn = datetime.now(UTC), settings().postgres_dsn.get_secret_value()
    with Database(dsn, "test") as database, database.transaction() as tx:
        outcome = Outcome(500, "HTTP 500")
        note_delivery(tx, Id.parse(webhook_id), new_id(), change, outcome, Dead(), 8, now)


def test_from_its_first_day_to_its_last(receiver: Receiver) -> None:
    assert "There is no webhook" in run("list")
    added = data("add", receiver.url("/a"), "--type", "event.linked", "--description", "shop")
    made, secret = added["webhook"], str(added["secret"])
    assert isinstance(made, dict)
    webhook_id = str(made["webhook_id"])
    listed = run("list")
    assert webhook_id in listed
    assert "event.linked" in listed
    assert "shop" in listed
    assert secret not in listed
    assert "accepted (HTTP 204)" in run("test", webhook_id)
    assert verified(secret, receiver.got[0])
    rotated = run("rotate", webhook_id, "--overlap-hours", "2")
    assert "whsec_" in rotated
    assert "signed by the one before, too" in rotated

    assert "Nothing is so." in run("deliveries", webhook_id)
    died(webhook_id, 3)
    died(webhook_id, 4)
    assert "2 dead" in run("list")
    told = run("deliveries", webhook_id, "--status", "dead", "--since", "2026-01-01")
    assert "8 attempts; HTTP 500" in told
    assert "events-linked-0-3" in told
    run("change", webhook_id, "--disable")
    with pytest.raises(Conflict, match="enable it"):
        run("replay", webhook_id, "--dead")
    assert "DISABLED" in run("list")
    assert "DISABLED" not in run("change", webhook_id, "--enable")
    assert run("replay", webhook_id, "--dead", "--dry-run") == "2 would be sent again\n"
    assert data("replay", webhook_id, "--dead")["deliveries"] == 2
    one = data("deliveries", webhook_id, "--status", "replaying")["deliveries"]
    assert isinstance(one, list)
    with pytest.raises(Conflict, match="being tried"):
        run("replay", webhook_id, one[0]["delivery_id"])
    with pytest.raises(BadInput, match="which"):
        run("replay", webhook_id)

    receiver.answer = lambda handler, got: handler.say(500)
    assert "failed: HTTP 500" in run("test", webhook_id, status=1)
    run("remove", webhook_id)
    with pytest.raises(NotFound):
        run("deliveries", webhook_id)


def test_what_is_wrong_is_named(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"type: 'profile\.changed' is none"):
        run("add", receiver.url(), "--type", "profile.changed")
    monkeypatch.setenv("RB_WEBHOOK_MAX", "1")
    settings.cache_clear()
    run("add", receiver.url())
    with pytest.raises(Conflict, match="RB_WEBHOOK_MAX"):
        run("add", receiver.url())
    monkeypatch.setenv("RB_WEBHOOK_ALLOW_PRIVATE", "false")
    settings.cache_clear()
    with pytest.raises(BadInput, match="https://"):
        run("add", receiver.url())
    with pytest.raises(BadInput, match="not a public address"):
        run("add", "https://localhost/")

"""What is kept of deliveries when their webhook, or the topic they came from, changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.changes.change import Change
from pipeline.changes.kinds import ChangeType
from pipeline.changes.reader import Bounds
from pipeline.identity.ids import Id
from pipeline.ids import new_id
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.webhooks import ChosenDeliveries, note_delivery, place, places, stage_of
from pipeline.webhooks.desk import WebhookDesk
from pipeline.webhooks.schedule import Again, Dead, Delivered, Verdict
from pipeline.webhooks.sending import Outcome
from tests.support.people import ring

NOW = datetime(2026, 1, 31, tzinfo=UTC)
PLACES = {"profile.": "profiles.updates", "event.li": "events.linked"}


class Kept:
    """A webhook, and what is kept of its deliveries."""

    def __init__(self, dsn: str) -> None:
        self.database = Database(dsn, "test")
        self.settings = Settings.model_validate({"webhook_allow_private": True, "topic_prefix": "p."})
        self.desk = WebhookDesk(
            self.database,
            ring(),
            self.settings,
            held=lambda topics: {(topic, n): Bounds(2, 9) for topic in topics for n in range(2)},
            clock=lambda: NOW,
        )
        added = self.desk.add("http://127.0.0.1:1/", ["profile.*", "event.linked"], "", "test")
        self.id = added.webhook.webhook_id

    def note(self, kind: ChangeType, offset: int, verdict: Verdict, at: datetime = NOW) -> Id:
        topic = next((t for start, t in PLACES.items() if kind.startswith(start)), "profiles.updates")
        change, delivery_id = Change(kind, (topic, 0), offset, frozenset(), b"{}"), new_id()
        outcome = Outcome(204) if isinstance(verdict, Delivered) else Outcome(500, "HTTP 500")
        with self.database.transaction() as tx:
            note_delivery(tx, self.id, delivery_id, change, outcome, verdict, 1, at)
        return delivery_id

    def statuses(self) -> dict[str, int]:
        found, _ = self.desk.deliveries.listed(self.id, ChosenDeliveries(), 100)
        return {one.status: sum(other.status == one.status for other in found) for one in found}

    def places(self) -> dict[tuple[str, int], int]:
        with self.database.transaction() as tx:
            return places(tx, self.id, "p.")


@pytest.fixture
def kept(database: str) -> Iterator[Kept]:
    made = Kept(database)
    yield made
    made.database.close()


def test_what_is_no_longer_wanted_is_tried_no_more(kept: Kept) -> None:
    again = Again(NOW)
    for kind in (ChangeType.PROFILE_UPDATED, ChangeType.EVENT_LINKED, ChangeType.UNREADABLE):
        kept.note(kind, 4 if kind is ChangeType.UNREADABLE else 3, again)
    assert kept.statuses() == {"failing": 3}
    kept.desk.change(kept.id, actor="ann", types=["profile.*"])
    assert kept.statuses() == {"failing": 2}, "what does not decode stays"
    kept.desk.change(kept.id, actor="ann", description="the same types")
    assert kept.statuses() == {"failing": 2}
    kept.desk.change(kept.id, actor="ann", begin="latest")
    assert kept.statuses() == {}


def test_where_it_goes_on(kept: Kept) -> None:
    assert set(kept.places().values()) == {9}
    kept.desk.change(kept.id, actor="ann", begin="earliest")
    assert set(kept.places().values()) == {2}
    kept.desk.change(kept.id, actor="ann", types=["identity.*", "profile.*"])
    found = kept.places()
    assert {at for (topic, _), at in found.items() if topic == "identity.merges"} == {9}, "new ones begin now"
    assert {at for (topic, _), at in found.items() if topic == "profiles.updates"} == {2}


def test_what_went_from_its_topic_while_it_was_tried_can_be_replayed(kept: Kept) -> None:
    kept.note(ChangeType.PROFILE_UPDATED, 3, Again(NOW))
    kept.note(ChangeType.PROFILE_UPDATED, 5, Again(NOW))
    parameters = {"webhook": kept.id, "stage": stage_of(kept.id), "prefix": "p."}
    with kept.database.transaction() as tx:
        place(tx, kept.id, "p.", {("profiles.updates", 0): 4})
        tx.run("bury_overtaken", parameters)
    assert kept.statuses() == {"dead": 1, "failing": 1}
    assert kept.desk.deliveries.replay_many(kept.id, ChosenDeliveries("dead")) == 1
    assert kept.statuses() == {"replaying": 1, "failing": 1}


def test_old_ones_are_removed_each_in_its_time(kept: Kept) -> None:
    for hours in (1, 50, 100):
        at = NOW - timedelta(hours=hours)
        kept.note(ChangeType.PROFILE_UPDATED, hours, Delivered(), at)
        kept.note(ChangeType.EVENT_LINKED, hours, Dead(), at)
        kept.note(ChangeType.PROFILE_CREATED, 1_000 + hours, Again(NOW), at)
    old = {
        "delivered_before": NOW - timedelta(hours=40),
        "dead_before": NOW - timedelta(hours=90),
        "limit": 100,
    }
    with kept.database.transaction() as tx:
        assert tx.run("prune_deliveries", old) == 3
    assert kept.statuses() == {"delivered": 1, "dead": 2, "failing": 3}


def test_enabled_again_nothing_is_counted_against_it(kept: Kept) -> None:
    kept.note(ChangeType.PROFILE_UPDATED, 3, Again(NOW + timedelta(hours=1)))
    dead = {"webhook": kept.id, "at": NOW, "at_once": False, "most": 2, "reason": "it failed"}
    with kept.database.transaction() as tx:
        said = [tx.rows("note_dead", dead)[0][0] for _ in range(3)]
    assert said == [False, True, False], "it is told once"
    disabled = kept.desk.found(kept.id)
    assert (disabled.enabled, disabled.disabled_reason, disabled.dead_in_a_row) == (False, "it failed", 3)
    kept.desk.change(kept.id, actor="ann", url="http://127.0.0.1:2/")
    assert kept.desk.found(kept.id).disabled_reason == "it failed"
    enabled = kept.desk.change(kept.id, actor="ann", enabled=True)
    assert (enabled.enabled, enabled.disabled_reason, enabled.dead_in_a_row) == (True, None, 0)
    (failing,), _ = kept.desk.deliveries.listed(kept.id, ChosenDeliveries("failing"), 1)
    assert (failing.attempts, failing.next_at) == (0, NOW)
    by_hand = kept.desk.change(kept.id, actor="ann", enabled=False)
    assert (by_hand.disabled_at, by_hand.disabled_reason) == (NOW, None)

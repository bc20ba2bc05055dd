"""The typed client against the gateway: webhooks and dead letters from their first day to their last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from confluent_kafka import Producer

from client import RetailBrain, ask
from pipeline.errors import RequestRefused
from pipeline.settings import Settings
from tests.integration.test_dead_letters import BAD
from tests.support.changes import Teller
from tests.support.processes import gateway, process
from tests.support.receiver import receiving, verified
from tests.support.worker import eventually


@contextmanager
def asking(settings: Settings, folder: Path, *modules: str) -> Iterator[RetailBrain]:
    """A client of a gateway, beside processes of these modules."""
    with ExitStack() as running:
        opened = running.enter_context(gateway(settings, folder / "gateway.log"))
        for module in modules:
            running.enter_context(process(module, settings, folder / f"{module}.log"))
        key = next(iter(settings.api_key_list()))
        yield running.enter_context(RetailBrain(str(opened.base_url), key))


def test_a_webhook_from_its_first_day_to_its_last(house: Settings, tmp_path: Path) -> None:
    told = house.model_copy(update={"webhook_allow_private": True, "rate_limit_per_minute": 0})
    with (
        receiving() as receiver,
        closing(Teller(told)) as teller,
        asking(told, tmp_path, "consumers.webhooks.process") as brain,
    ):
        adding = ask.add_webhook(receiver.url("/a"), types=["profile.*"], description="shop", actor="ann")
        added = brain.ask(adding)
        webhook_id = added.webhook.webhook_id
        assert brain.ask(adding) == added, "asked again under its key, as after a lost connection"
        assert brain.ask(ask.webhooks()).data == [added.webhook]
        assert brain.ask(ask.webhook(webhook_id)) == added.webhook
        assert brain.ask(ask.try_webhook(webhook_id)).accepted
        assert verified(added.secret, receiver.got[0])
        rotated = brain.ask(ask.rotate_webhook(webhook_id, overlap_hours=0))
        brain.ask(ask.try_webhook(webhook_id))
        assert verified(rotated.secret, receiver.got[1])
        assert not verified(added.secret, receiver.got[1])

        teller.tell(3)
        eventually(lambda: brain.ask(ask.deliveries(webhook_id, status="delivered")).pagination.total == 3)
        one = brain.ask(ask.deliveries(webhook_id)).data[0]
        detail = brain.ask(ask.delivery(webhook_id, one.delivery_id))
        assert detail.change_id == one.change_id
        assert brain.ask(ask.deliveries(webhook_id, until=one.first_at)).pagination.total < 3
        assert brain.ask(ask.replay_deliveries(webhook_id, since=one.last_at, dry_run=True)).deliveries == 1
        before = len(receiver.got)
        assert brain.ask(ask.replay_delivery(webhook_id, one.delivery_id)).deliveries == 1
        eventually(lambda: len(receiver.got) == before + 1)
        eventually(lambda: brain.ask(ask.deliveries(webhook_id, status="delivered")).pagination.total == 3)
        assert brain.ask(ask.replay_deliveries(webhook_id)).deliveries == 3

        changed = brain.ask(ask.change_webhook(webhook_id, types=["event.linked"], enabled=False))
        assert (changed.types, changed.enabled) == (["event.linked"], False)
        assert (changed.url, changed.description) == (receiver.url("/a"), "shop"), "not given, they stay"
        brain.ask(ask.remove_webhook(webhook_id))
        with pytest.raises(RequestRefused) as refused:
            brain.ask(ask.webhook(webhook_id))
        assert refused.value.status == 404


def test_dead_letters_are_mended_replayed_and_dropped(house: Settings, tmp_path: Path) -> None:
    stages = ("pipeline.normalize_stage", "pipeline.resolve_stage", "pipeline.stream.relay")
    producer = Producer({"bootstrap.servers": house.kafka_bootstrap})
    for number in range(4):
        event = orjson.dumps({**BAD, "event_id": f"visit-{number}"})
        producer.produce(house.topic("events.raw"), event, key=b"jane")
    assert producer.flush(15) == 0
    with asking(house, tmp_path, *stages) as brain:
        eventually(lambda: brain.ask(ask.dead_letters(stage="normalize")).pagination.total == 4)
        first, second, *others = brain.ask(ask.dead_letters(reason="schema_violation")).data
        shown = brain.ask(ask.dead_letter(first.dead_letter_id))
        assert shown.letter == first
        assert shown.unreplayable is not None
        with pytest.raises(RequestRefused) as refused:
            brain.ask(ask.replay_dead_letter(first.dead_letter_id))
        assert refused.value.status == 409
        for letter in (first, second):
            put = {"identifiers.phone": "+14155552671"}
            mending = ask.edit_dead_letter(letter.dead_letter_id, put=put, reason="the till sent numbers")
            assert brain.ask(mending).unreplayable is None
        assert brain.ask(ask.replay_dead_letter(first.dead_letter_id, dry_run=True)).dry_run
        assert brain.ask(ask.replay_dead_letter(first.dead_letter_id)).done == 1
        many = brain.ask(ask.replay_dead_letters({"topic": "events.raw"}))
        assert (many.done, many.refused) == (1, 2)
        assert brain.ask(ask.dead_letters(status="replayed")).pagination.total == 2
        assert brain.ask(ask.drop_dead_letter(others[0].dead_letter_id, "a test")).done == 1
        until_now = ask.drop_dead_letters({"until": first.failed_at}, "none is older", dry_run=True)
        assert brain.ask(until_now).dry_run
        assert brain.ask(ask.drop_dead_letters([others[1].dead_letter_id], "a test")).done == 1
        assert brain.ask(ask.dead_letters()).data == []
        actions = brain.ask(ask.dead_letter(others[0].dead_letter_id)).actions
        assert [one.action for one in actions] == ["dropped"]
        with pytest.raises(RequestRefused):
            brain.ask(ask.dead_letter(uuid4()))

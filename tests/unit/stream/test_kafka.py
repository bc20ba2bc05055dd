"""Kafka clients end when those who own them close, not when the collector finds them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from gateway.producer import KafkaSender
from infra.embedded.ports import choose
from pipeline.errors import BrokerUnavailable
from pipeline.settings import Settings
from pipeline.stream.publish import KafkaPublisher, Outgoing
from tests.support.run import client_threads


def sender(settings: Settings) -> KafkaSender:
    return KafkaSender(settings, "events.raw")


def publisher(settings: Settings) -> KafkaPublisher:
    made = KafkaPublisher(settings, "test", lambda: False)
    with suppress(BrokerUnavailable):
        made.publish([Outgoing("events.raw", b"k", b"v")])
    made.publish([])
    return made


@pytest.mark.parametrize("make", [sender, publisher])
def test_close_ends_the_clients_threads(make: Callable[[Settings], KafkaSender | KafkaPublisher]) -> None:
    nobody = choose({"nobody": 0})["nobody"]
    settings = Settings(kafka_bootstrap=f"127.0.0.1:{nobody}", produce_timeout_ms=200)
    before = len(client_threads())
    owner = make(settings)
    assert len(client_threads()) > before
    owner.close()
    assert len(client_threads()) <= before

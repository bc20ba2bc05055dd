"""Changes for the feed and for webhooks, told to the topics as the relay does, and read as consumers do."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime

import orjson

from pipeline.changes.change import read_change
from pipeline.changes.kinds import TOPICS
from pipeline.changes.reader import bounds
from pipeline.ids import new_id
from pipeline.settings import Settings
from pipeline.stream.kafka import consumer, reader_config
from pipeline.stream.publish import KafkaPublisher, Outgoing
from pipeline.stream.source import message_of
from schemas.codec import load_codec
from schemas.topics import topics

AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def state(profile_id: str, version: int, **more: object) -> dict[str, object]:
    """A message of profiles.updates."""
    return {
        "profile_id": profile_id,
        "version": version,
        "status": "active",
        "merged_into": None,
        "change": "linked",
        "created_at": AT,
        "updated_at": AT,
        "record_ids": [str(new_id())],
        "identifiers": [],
        "golden_record": {},
        "consent": [],
        **more,
    }


def linked(profile_id: str, version: int) -> dict[str, object]:
    """A message of events.linked."""
    return {
        "event_id": str(new_id()),
        "profile_id": profile_id,
        "profile_version": version,
        "record_id": str(new_id()),
        "decision": "linked",
        "source": "web",
        "event_type": "visit",
        "occurred_at": AT,
        "accepted_at": AT,
        "committed_at": AT,
        "request_id": None,
        "correlation_id": None,
        "reasons": [],
        "channel": None,
        "store": None,
        "order": None,
    }


def merge(profile_id: str, source_id: str, version: int) -> dict[str, object]:
    """A message of identity.merges."""
    return {
        "merge_log_id": str(new_id()),
        "kind": "merged",
        "profile_id": profile_id,
        "profile_version": version,
        "source_profile_id": source_id,
        "source_profile_version": 1,
        "record_ids": [],
        "confidence_score": 0.9,
        "scoring_details": "{}",
        "model_version": "m",
        "policy_version": "p",
        "decided_at": AT,
    }


class Teller:
    """Tells changes of some profiles, each with its versions in order."""

    def __init__(self, settings: Settings, profiles: int = 20, seed: int = 1) -> None:
        self._codec = load_codec(settings)
        self._publisher = KafkaPublisher(settings, "teller", lambda: False)
        self._chance = random.Random(seed)
        self.profiles = [str(new_id()) for _ in range(profiles)]
        self._versions = dict.fromkeys(self.profiles, 0)

    def message(self, topic: str, key: str, value: Mapping[str, object] | None) -> Outgoing:
        """A message as it is published."""
        return Outgoing(topic, key.encode(), None if value is None else self._codec.encode(topic, value))

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Returns once the broker has them."""
        self._publisher.publish(messages)

    def tell(self, changes: int) -> None:
        """A new version of some profiles, each with the event that made it, and now and then a merge."""
        messages = []
        for _ in range(changes):
            profile = self._chance.choice(self.profiles)
            self._versions[profile] += 1
            version = self._versions[profile]
            messages.append(self.message("profiles.updates", profile, state(profile, version)))
            messages.append(self.message("events.linked", profile, linked(profile, version)))
            if self._chance.random() < 0.1:
                other = self._chance.choice(self.profiles)
                messages.append(self.message("identity.merges", profile, merge(profile, other, version)))
        self.publish(messages)

    def close(self) -> None:
        """Let go of the broker."""
        self._publisher.close()


def expire(settings: Settings, topic: str) -> None:
    """All that a topic holds goes, as by retention."""
    from confluent_kafka import OFFSET_END, TopicPartition
    from confluent_kafka.admin import AdminClient

    places = [TopicPartition(settings.topic(topic), n, OFFSET_END) for n in range(topics()[topic].partitions)]
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap})
    for future in admin.delete_records(places).values():
        future.result()


def held(settings: Settings) -> dict[str, dict[str, object]]:
    """What Kafka holds, as a consumer reads it: the JSON of each message by its id, by partition in order."""
    codec = load_codec(settings)
    ends = bounds(settings, TOPICS, "test-held")
    missing = {place: b.high for place, b in ends.items() if b.high > b.low}
    with closing(consumer(reader_config(settings, "test-held"))) as client:
        client.assign(list(_from_the_beginning(settings, ends)))
        found: dict[str, dict[str, object]] = {}
        while missing:
            for message in client.consume(1_000, 1.0):
                if message.error() is None:
                    change = read_change(message_of(message), codec, settings.topic_prefix)
                    found[change.id] = orjson.loads(change.body)
                    if change.offset + 1 >= missing.get(change.place, 0):
                        missing.pop(change.place, None)
        return found


def _from_the_beginning(settings: Settings, places: Mapping[tuple[str, int], object]) -> Iterator[object]:
    from confluent_kafka import OFFSET_BEGINNING, TopicPartition

    for topic, n in places:
        yield TopicPartition(settings.topic(topic), n, OFFSET_BEGINNING)

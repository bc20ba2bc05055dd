"""Makes the topics that schemas/topics.yaml declares, and says where the broker's differ."""

from __future__ import annotations

import time
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigEntry, ConfigResource, NewTopic, ResourceType

from pipeline.errors import BrokerUnavailable, ConfigurationError
from pipeline.settings import Settings
from pipeline.stream.kafka import Admin
from schemas.topics import Topic, topics

TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class TopicReport:
    """Names on the broker, prefix included. `differences` are sentences."""

    created: tuple[str, ...]
    standing: tuple[str, ...]
    differences: tuple[str, ...]


def ensure_topics(settings: Settings) -> TopicReport:
    """Create the topics that are missing; none is changed or deleted. Two at once are harmless.

    Raises BrokerUnavailable; ConfigurationError where the broker refuses a topic, or to describe those it has.
    """
    admin = Admin(settings)
    wanted = {settings.topic(name): topic for name, topic in topics().items()}
    created = _create(
        admin, {name: topic for name, topic in wanted.items() if name not in _partitions(admin)}
    )
    return TopicReport(
        created=created,
        standing=tuple(name for name in wanted if name not in created),
        differences=tuple(_differences(admin, wanted)),
    )


def missing_topics(settings: Settings, timeout_s: float = TIMEOUT_S) -> tuple[str, ...]:
    """The declared topics that the broker has not, by their names there.

    Raises BrokerUnavailable where it does not answer for `timeout_s`.
    """
    standing = _partitions(Admin(settings), timeout_s)
    return tuple(name for name in map(settings.topic, topics()) if name not in standing)


def topic_differences(settings: Settings, timeout_s: float = TIMEOUT_S) -> tuple[str, ...]:
    """In what the topics that stand differ from those declared, as sentences; nothing is changed.

    Raises BrokerUnavailable where the broker does not answer for `timeout_s`; ConfigurationError where we may not ask.
    """
    admin = Admin(settings)
    standing = _partitions(admin, timeout_s)
    wanted = {settings.topic(name): topic for name, topic in topics().items()}
    return tuple(_differences(admin, {n: t for n, t in wanted.items() if n in standing}, timeout_s))


def _config(topic: Topic) -> dict[str, str]:
    if topic.compacted:
        return {"cleanup.policy": "compact"}
    hours = topic.retention_hours
    return {"cleanup.policy": "delete", "retention.ms": str(hours * 3_600_000 if hours else -1)}


def _create(admin: Admin, missing: dict[str, Topic]) -> tuple[str, ...]:
    new = [
        NewTopic(name, topic.partitions, topic.replication_factor, config=_config(topic))
        for name, topic in missing.items()
    ]
    created = []
    futures = (
        admin.client.create_topics(new, request_timeout=TIMEOUT_S, operation_timeout=TIMEOUT_S) if new else {}
    )
    for name, future in futures.items():
        try:
            future.result()
            created.append(name)
        except KafkaException as exc:
            error: KafkaError = exc.args[0]
            if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:  # another one was faster
                continue
            if error.retriable() or error.code() == KafkaError._TRANSPORT:
                raise BrokerUnavailable(f"topic {name}: {error.str()}") from exc
            raise ConfigurationError(f"the broker refuses topic {name}: {error.str()}") from exc
    return tuple(created)


def _partitions(admin: Admin, timeout_s: float = TIMEOUT_S) -> dict[str, int]:
    try:
        metadata = admin.client.list_topics(timeout=timeout_s)
    except KafkaException as exc:
        raise admin.unavailable(exc.args[0]) from exc
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def _differences(admin: Admin, wanted: dict[str, Topic], timeout_s: float = TIMEOUT_S) -> list[str]:
    counts = _partitions(admin, timeout_s)
    found = [
        f"{name} has {counts[name]} partitions, {topic.partitions} are declared"
        for name, topic in wanted.items()
        if counts.get(name, topic.partitions) != topic.partitions
    ]
    resources = {ConfigResource(ResourceType.TOPIC, name): topic for name, topic in wanted.items()}
    if not resources:
        return found
    for resource, actual in _described(admin, list(resources), timeout_s).items():
        for key, value in _config(resources[resource]).items():
            if actual[key].value != value:
                found.append(f"{resource.name} has {key}={actual[key].value}, {value} is declared")
    return found


def _described(
    admin: Admin, resources: list[ConfigResource], timeout_s: float
) -> dict[ConfigResource, dict[str, ConfigEntry]]:
    """The configuration of topics; waits for those that were created so lately that the broker does not know them."""
    deadline = time.monotonic() + timeout_s
    while True:
        futures = admin.client.describe_configs(resources, request_timeout=timeout_s)
        try:
            return {resource: future.result() for resource, future in futures.items()}
        except KafkaException as exc:
            error: KafkaError = exc.args[0]
            if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise ConfigurationError(f"topics may not be described: {error.str()}") from exc
            if error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART or time.monotonic() > deadline:
                raise BrokerUnavailable(f"topics cannot be described: {error.str()}") from exc
            time.sleep(0.1)

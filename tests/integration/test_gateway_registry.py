"""A client nobody here wrote reads every topic: Confluent's deserializer, with the gateway as its registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from pipeline.settings import Settings
from schemas.catalog import catalog
from schemas.codec import load_codec
from schemas.topics import topics
from tests.support.contracts import example
from tests.support.processes import gateway


@pytest.fixture
def client(house: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    settings = house.model_copy(update={"home": tmp_path})
    with gateway(settings, tmp_path / "gateway.log") as running:
        yield running


@pytest.fixture
def registry(client: httpx.Client) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": str(client.base_url).rstrip("/")})


def test_confluents_deserializer_reads_every_topic(registry: SchemaRegistryClient, house: Settings) -> None:
    codec = load_codec(house)
    producer = Producer({"bootstrap.servers": house.kafka_bootstrap})
    for name, topic in topics().items():
        message = codec.encode(name, example(topic.schema))
        producer.produce(house.topic(name), message, key="any")  # a compacted topic takes none without
    assert producer.flush(20) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": house.kafka_bootstrap,
            "group.id": uuid4().hex,
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([house.topic(name) for name in topics()])
    deserialize = AvroDeserializer(registry)
    found: dict[str, object] = {}
    while len(found) < len(topics()):
        message = consumer.poll(20)
        assert message is not None
        assert message.error() is None
        context = SerializationContext(message.topic(), MessageField.VALUE)
        found[message.topic()] = deserialize(message.value(), context)
    consumer.close()
    assert found == {house.topic(name): example(topic.schema) for name, topic in topics().items()}


def test_confluents_serializer_writes_what_our_codec_reads(
    registry: SchemaRegistryClient, house: Settings
) -> None:
    value = example("raw_event")
    topic = house.topic("events.raw")
    serialize = AvroSerializer(registry, catalog()["raw_event"][-1].text)  # registers on its own, too
    message = serialize(value, SerializationContext(topic, MessageField.VALUE))
    assert load_codec(house).decode("events.raw", message) == value


def test_the_registry_answers_as_confluents_does(
    registry: SchemaRegistryClient, client: httpx.Client, house: Settings
) -> None:
    client.headers.pop("Authorization")  # schemas are no secret, and no registry client sends our keys
    subject = f"{house.topic('events.linked')}-value"
    latest = registry.get_latest_version(subject)
    current = catalog()["linked_event"][-1]
    assert (latest.subject, latest.version, latest.schema_id) == (subject, current.version, current.schema_id)
    assert registry.get_version(subject, 1).version == 1
    assert registry.get_versions(subject) == [s.version for s in catalog()["linked_event"]]
    assert sorted(registry.get_subjects()) == sorted(f"{house.topic(name)}-value" for name in topics())
    assert registry.lookup_schema(subject, Schema(current.text, "AVRO")).schema_id == current.schema_id
    assert registry.get_compatibility(subject) == "BACKWARD_TRANSITIVE"
    assert client.get("/config").json() == {"compatibilityLevel": "BACKWARD_TRANSITIVE"}
    assert client.get("/mode").json() == {"mode": "READONLY"}
    assert client.get("/schemas/types").json() == ["AVRO"]
    path = f"/schemas/ids/{current.schema_id}/versions"
    assert client.get(path).json() == [{"subject": subject, "version": current.version}]
    assert client.get(f"/subjects/{subject}/versions/latest/schema").json()["name"] == "LinkedEvent"


def test_what_is_not_there_has_confluents_codes(client: httpx.Client) -> None:
    codes = {
        "/schemas/ids/7": 40403,
        "/subjects/nothing/versions": 40401,
        "/subjects/nothing/versions/latest": 40401,
        "/config/nothing": 40401,
    }
    for path, code in codes.items():
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json()["error_code"] == code
        assert answer.headers["Content-Type"].startswith("application/vnd.schemaregistry.v1+json")


def test_no_schema_is_taken(registry: SchemaRegistryClient, house: Settings) -> None:
    other = Schema('{"type": "record", "name": "Other", "fields": []}', "AVRO")
    with pytest.raises(SchemaRegistryError) as caught:
        registry.register_schema(f"{house.topic('events.raw')}-value", other)
    assert caught.value.error_code == 42205

"""The topics as an AsyncAPI 3 document, made of what declares them: topics.yaml, the schemas and their examples."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.envelope import json_response
from gateway.ports import ports_of
from pipeline.settings import Settings
from schemas.catalog import Schema, catalog
from schemas.codec import RAW_TOPIC
from schemas.topics import Topic, topics

router = APIRouter(include_in_schema=False)

_AVRO = "application/vnd.apache.avro;version=1.9.0"
_ABOUT = (
    "What Retail Brain reads and tells over Kafka. Messages are Avro in Confluent framing; the gateway is the schema "
    "registry, read-only, under the paths of Confluent's. On events.raw plain JSON of the same shape is read as well."
)
_HOUR_MS = 3_600_000

Json = dict[str, object]


@router.get("/asyncapi.json")
async def get_asyncapi(request: Request) -> Response:
    """The document."""
    return json_response(document(ports_of(request).settings, request.app.version))


def document(settings: Settings, version: str) -> Json:
    """AsyncAPI 3.0.0, https://www.asyncapi.com/docs/reference/specification/v3.0.0"""
    declared = {name: topic for name, topic in topics().items() if _is_open(topic)}
    newest = {name: versions[-1] for name, versions in catalog().items()}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Retail Brain topics", "version": version, "description": _ABOUT},
        "channels": {name: _channel(topic, settings) for name, topic in declared.items()},
        "operations": {
            _operation(topic): {
                "action": "receive" if name == RAW_TOPIC else "send",
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": f"{topic.owner} {'produce' if name == RAW_TOPIC else 'produces'}.",
            }
            for name, topic in declared.items()
        },
        "components": {"messages": {t.schema: _message(t, newest[t.schema]) for t in declared.values()}},
    }


def _is_open(topic: Topic) -> bool:
    """Whether others may read or write a topic: what goes on between the stages is nobody else's."""
    return topic.schema != "normalized_event"


def _operation(topic: Topic) -> str:
    return f"{'receive' if topic.name == RAW_TOPIC else 'send'}_{topic.schema}"


def _channel(topic: Topic, settings: Settings) -> Json:
    kept: Json = {"cleanup.policy": ["compact" if topic.compacted else "delete"]}
    if topic.retention_hours is not None:
        kept["retention.ms"] = topic.retention_hours * _HOUR_MS
    kafka = {
        "topic": settings.topic(topic.name),
        "partitions": topic.partitions,
        "replicas": topic.replication_factor,
        "topicConfiguration": kept,
        "bindingVersion": "0.5.0",
    }
    return {
        "address": settings.topic(topic.name),
        "description": f"Key: {topic.key}. Schemas change {topic.compatibility}.",
        "messages": {topic.schema: {"$ref": f"#/components/messages/{topic.schema}"}},
        "bindings": {"kafka": kafka},
    }


def _message(topic: Topic, schema: Schema) -> Json:
    avro: Mapping[str, object] = orjson.loads(schema.text)
    example = resources.files("schemas").joinpath("examples", f"{schema.name}.json").read_bytes()
    return {
        "name": str(avro["name"]),
        "summary": str(avro["doc"]),
        "contentType": "application/vnd.apache.avro+binary",
        "payload": {"schemaFormat": _AVRO, "schema": avro},
        "examples": [{"payload": orjson.loads(example)}],
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicNameStrategy",
                "bindingVersion": "0.5.0",
            }
        },
    }

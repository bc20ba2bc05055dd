"""Our schemas under the paths of a Confluent schema registry, read-only, so that any Confluent client decodes our
topics with the gateway's address as its registry. https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.documentation import BODY, Responses, refused
from gateway.ports import ports_of
from pipeline.errors import BadInput
from schemas.catalog import Schema, catalog, content_of
from schemas.codec import Codec
from schemas.topics import Topic, topics

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class RegistryResponse(JSONResponse):
    """JSON as a registry sends it."""

    media_type = MEDIA_TYPE

    def render(self, content: object) -> bytes:
        """As bytes."""
        return orjson.dumps(content)


class RegistryError(BaseModel):
    """An error as a registry tells it."""

    error_code: int
    message: str


_NOT_FOUND: Responses = {404: {"model": RegistryError, "description": "No such schema, subject or version."}}
_READ_ONLY: Responses = {
    422: {"model": RegistryError, "description": "Schemas are declared in schemas/avro."}
}

router = APIRouter(tags=["schemas"], default_response_class=RegistryResponse)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A version of a subject."""

    subject: str
    topic: Topic
    schema: Schema
    schema_id: int

    def body(self) -> dict[str, object]:
        return {
            "subject": self.subject,
            "version": self.schema.version,
            "id": self.schema_id,
            "schemaType": "AVRO",
            "schema": self.schema.text,
        }


def _entries(codec: Codec, prefix: str) -> list[_Entry]:
    return [
        _Entry(prefix + topic.subject, topic, schema, codec.ids[schema.name, schema.version])
        for topic in topics().values()
        for schema in catalog()[topic.schema]
    ]


def _all(request: Request) -> list[_Entry]:
    ports = ports_of(request)
    return _entries(ports.codec, ports.settings.topic_prefix)


def _json(body: object, status: int = 200) -> Response:
    return RegistryResponse(body, status)


def _error(code: int, message: str) -> Response:
    return _json({"error_code": code, "message": message}, code // 100)


def _of_subject(request: Request, subject: str) -> list[_Entry]:
    return [entry for entry in _all(request) if entry.subject == subject]


@router.get("/schemas/types", summary="Kinds of schemas")
async def get_types() -> Response:
    """Avro only."""
    return _json(["AVRO"])


@router.get(
    "/schemas/ids/{schema_id}", responses={**_NOT_FOUND, **refused(400)}, summary="The schema of an id"
)
async def get_schema(request: Request, schema_id: int) -> Response:
    """What the five bytes before a message name."""
    for entry in _all(request):
        if entry.schema_id == schema_id:
            return _json({"schemaType": "AVRO", "schema": entry.schema.text})
    return _error(40403, "Schema not found")


@router.get(
    "/schemas/ids/{schema_id}/versions",
    responses={**_NOT_FOUND, **refused(400)},
    summary="Where an id is used",
)
async def get_schema_versions(request: Request, schema_id: int) -> Response:
    """The subjects and versions of an id."""
    found = [e for e in _all(request) if e.schema_id == schema_id]
    if not found:
        return _error(40403, "Schema not found")
    return _json([{"subject": e.subject, "version": e.schema.version} for e in found])


@router.get("/subjects", summary="All subjects")
async def get_subjects(request: Request) -> Response:
    """`<topic>-value` of every topic."""
    return _json(sorted({entry.subject for entry in _all(request)}))


@router.get("/subjects/{subject}/versions", responses=_NOT_FOUND, summary="Versions of a subject")
async def get_versions(request: Request, subject: str) -> Response:
    """Oldest first."""
    found = _of_subject(request, subject)
    return _json([e.schema.version for e in found]) if found else _error(40401, "Subject not found")


def _version(request: Request, subject: str, version: str) -> _Entry | Response:
    found = _of_subject(request, subject)
    if not found:
        return _error(40401, "Subject not found")
    if version in ("latest", "-1"):
        return found[-1]
    for entry in found:
        if str(entry.schema.version) == version:
            return entry
    return _error(40402, "Version not found")


@router.get(
    "/subjects/{subject}/versions/{version}", responses=_NOT_FOUND, summary="One version of a subject"
)
async def get_version(request: Request, subject: str, version: str) -> Response:
    """`version` is a number or `latest`."""
    found = _version(request, subject, version)
    return found if isinstance(found, Response) else _json(found.body())


@router.get("/subjects/{subject}/versions/{version}/schema", responses=_NOT_FOUND, summary="The schema alone")
async def get_version_schema(request: Request, subject: str, version: str) -> Response:
    """The Avro schema as it is."""
    found = _version(request, subject, version)
    return found if isinstance(found, Response) else Response(found.schema.text, media_type=MEDIA_TYPE)


async def _look_up(request: Request, subject: str) -> _Entry | Response:
    try:
        schema = orjson.loads(orjson.loads(await request.body())["schema"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise BadInput("schema", 'send {"schema": "<Avro schema as text>"}') from None
    found = _of_subject(request, subject)
    if not found:
        return _error(40401, "Subject not found")
    wanted = content_of(schema)
    for entry in found:
        if entry.schema.content == wanted:
            return entry
    return _error(40403, "Schema not found")


@router.post(
    "/subjects/{subject}",
    responses={**_NOT_FOUND, **refused(*BODY)},
    summary="Is this schema a version of the subject?",
)
async def post_look_up(request: Request, subject: str) -> Response:
    """Schemas are compared without their docs."""
    found = await _look_up(request, subject)
    return found if isinstance(found, Response) else _json(found.body())


@router.post(
    "/subjects/{subject}/versions",
    responses={**_READ_ONLY, **refused(*BODY)},
    summary="Register (a known schema only)",
)
async def post_version(request: Request, subject: str) -> Response:
    """Answers the id of a schema that stands, so that serializers that register first work; refuses others."""
    found = await _look_up(request, subject)
    if isinstance(found, Response):
        return _error(42205, "read-only: schemas are declared in schemas/avro")
    return _json({"id": found.schema_id})


@router.get("/config", summary="Default compatibility")
async def get_config() -> Response:
    """Of all subjects that name none."""
    return _json({"compatibilityLevel": "BACKWARD_TRANSITIVE"})


@router.get("/config/{subject}", responses=_NOT_FOUND, summary="Compatibility of a subject")
async def get_subject_config(request: Request, subject: str) -> Response:
    """As schemas/topics.yaml declares it."""
    found = _of_subject(request, subject)
    if not found:
        return _error(40401, "Subject not found")
    return _json({"compatibilityLevel": found[0].topic.compatibility})


@router.get("/mode", summary="Mode")
async def get_mode() -> Response:
    """READONLY."""
    return _json({"mode": "READONLY"})

"""Our schemas under the paths of a Confluent schema registry, read-only, so that any Confluent client decodes our
topics with the gateway's address as its registry. https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.documentation import BODY, Responses, body, refused
from gateway.links import leading_to, link
from gateway.registry_entries import Entry, all_entries, of_subject
from gateway.registry_models import (
    ASKED,
    Compatibility,
    Mode,
    RegisteredSchema,
    RegistryError,
    SchemaId,
    SchemaText,
    SubjectVersion,
)
from pipeline.errors import BadInput
from schemas.catalog import content_of

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class RegistryResponse(JSONResponse):
    """JSON as a registry sends it."""

    media_type = MEDIA_TYPE

    def render(self, content: object) -> bytes:
        """As bytes."""
        return orjson.dumps(content)


_NOT_FOUND: Responses = {404: {"model": RegistryError, "description": "No such schema, subject or version."}}
_READ_ONLY: Responses = {
    422: {"model": RegistryError, "description": "Schemas are declared in schemas/avro."}
}

router = APIRouter(tags=["schemas"], default_response_class=RegistryResponse)


def _json(body: object, status: int = 200) -> Response:
    return RegistryResponse(body, status)


def _error(code: int, message: str) -> Response:
    return _json({"error_code": code, "message": message}, code // 100)


@router.get("/schemas/types", response_model=list[str], summary="Kinds of schemas")
async def get_types() -> Response:
    """Avro only."""
    return _json(["AVRO"])


_SUBJECT = {"subject": "$request.path.subject"}
_VERSION = {**_SUBJECT, "version": "$response.body#/version"}
_ID = {"schema_id": "$response.body#/id"}
_OF_ID = {
    "schema": link("get_schema", "The schema alone, by its id.", _ID),
    "used": link("get_schema_versions", "Where it is used.", _ID),
}
_USED = link(
    "get_version",
    "The first of them.",
    {"subject": "$response.body#/0/subject", "version": "$response.body#/0/version"},
)
_FIRST_SUBJECT = {"subject": "$response.body#/0"}
_SAME_SCHEMA = link(
    "post_look_up", "The same, found by what it says.", _SUBJECT, {"schema": "$response.body#/schema"}
)


@router.get(
    "/schemas/ids/{schema_id}",
    response_model=SchemaText,
    responses={**_NOT_FOUND, **refused(400)},
    summary="The schema of an id",
)
async def get_schema(request: Request, schema_id: int) -> Response:
    """What the five bytes before a message name."""
    for entry in all_entries(request):
        if entry.schema_id == schema_id:
            return _json({"schemaType": "AVRO", "schema": entry.schema.text})
    return _error(40403, "Schema not found")


@router.get(
    "/schemas/ids/{schema_id}/versions",
    response_model=list[SubjectVersion],
    responses={**leading_to({"version": _USED}), **_NOT_FOUND, **refused(400)},
    summary="Where an id is used",
)
async def get_schema_versions(request: Request, schema_id: int) -> Response:
    """The subjects and versions of an id."""
    found = [e for e in all_entries(request) if e.schema_id == schema_id]
    if not found:
        return _error(40403, "Schema not found")
    return _json([{"subject": e.subject, "version": e.schema.version} for e in found])


@router.get(
    "/subjects",
    response_model=list[str],
    responses=leading_to(
        {
            "versions": link("get_versions", "The first one's versions.", _FIRST_SUBJECT),
            "compatibility": link("get_subject_config", "How its schemas may change.", _FIRST_SUBJECT),
        }
    ),
    summary="All subjects",
)
async def get_subjects(request: Request) -> Response:
    """`<topic>-value` of every topic."""
    return _json(sorted({entry.subject for entry in all_entries(request)}))


@router.get(
    "/subjects/{subject}/versions",
    response_model=list[int],
    responses={
        **leading_to(
            {"version": link("get_version", "The oldest.", {**_SUBJECT, "version": "$response.body#/0"})}
        ),
        **_NOT_FOUND,
    },
    summary="Versions of a subject",
)
async def get_versions(request: Request, subject: str) -> Response:
    """Oldest first."""
    found = of_subject(request, subject)
    return _json([e.schema.version for e in found]) if found else _error(40401, "Subject not found")


def _version(request: Request, subject: str, version: str) -> Entry | Response:
    found = of_subject(request, subject)
    if not found:
        return _error(40401, "Subject not found")
    if version in ("latest", "-1"):
        return found[-1]
    for entry in found:
        if str(entry.schema.version) == version:
            return entry
    return _error(40402, "Version not found")


@router.get(
    "/subjects/{subject}/versions/{version}",
    response_model=RegisteredSchema,
    responses={
        **leading_to(
            {
                **_OF_ID,
                "text": link("get_version_schema", "The schema as it is.", _VERSION),
                "found": _SAME_SCHEMA,
            }
        ),
        **_NOT_FOUND,
    },
    summary="One version of a subject",
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


async def _look_up(request: Request, subject: str) -> Entry | Response:
    try:
        schema = orjson.loads(orjson.loads(await request.body())["schema"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise BadInput("schema", 'send {"schema": "<Avro schema as text>"}') from None
    found = of_subject(request, subject)
    if not found:
        return _error(40401, "Subject not found")
    wanted = content_of(schema)
    for entry in found:
        if entry.schema.content == wanted:
            return entry
    return _error(40403, "Schema not found")


_SCHEMA_BODY = body({MEDIA_TYPE: ASKED, "application/json": ASKED})


@router.post(
    "/subjects/{subject}",
    response_model=RegisteredSchema,
    responses={**leading_to(_OF_ID), **_NOT_FOUND, **refused(*BODY)},
    openapi_extra=_SCHEMA_BODY,
    summary="Is this schema a version of the subject?",
)
async def post_look_up(request: Request, subject: str) -> Response:
    """Schemas are compared without their docs."""
    found = await _look_up(request, subject)
    return found if isinstance(found, Response) else _json(found.body())


@router.post(
    "/subjects/{subject}/versions",
    response_model=SchemaId,
    responses={**leading_to(_OF_ID), **_READ_ONLY, **refused(*BODY)},
    openapi_extra=_SCHEMA_BODY,
    summary="Register (a known schema only)",
)
async def post_version(request: Request, subject: str) -> Response:
    """Answers the id of a schema that stands, so that serializers that register first work; refuses others."""
    found = await _look_up(request, subject)
    if isinstance(found, Response):
        return _error(42205, "read-only: schemas are declared in schemas/avro")
    return _json({"id": found.schema_id})


@router.get("/config", response_model=Compatibility, summary="Default compatibility")
async def get_config() -> Response:
    """Of all subjects that name none."""
    return _json({"compatibilityLevel": "BACKWARD_TRANSITIVE"})


@router.get(
    "/config/{subject}",
    response_model=Compatibility,
    responses=_NOT_FOUND,
    summary="Compatibility of a subject",
)
async def get_subject_config(request: Request, subject: str) -> Response:
    """As schemas/topics.yaml declares it."""
    found = of_subject(request, subject)
    if not found:
        return _error(40401, "Subject not found")
    return _json({"compatibilityLevel": found[0].topic.compatibility})


@router.get("/mode", response_model=Mode, summary="Mode")
async def get_mode() -> Response:
    """READONLY."""
    return _json({"mode": "READONLY"})

"""How a call is made: ids that may stand in a path, the headers of writes, and how an answer is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID, uuid4

import orjson
from pydantic import BaseModel

from client.call import Call

Model = TypeVar("Model", bound=BaseModel)
Ident = UUID | str


def ident(given: Ident) -> str:
    """Raises ValueError where it is no UUID: it goes into a path."""
    return str(given if isinstance(given, UUID) else UUID(given))


def maybe(given: Ident | None) -> str | None:
    """`ident` of what may be left out."""
    return None if given is None else ident(given)


def moment(given: datetime | None) -> str | None:
    """A time as it stands in a query."""
    return None if given is None else given.isoformat()


def written(once: str | None, etag: str | None = None) -> dict[str, str]:
    """The headers of a write: its Idempotency-Key, one of its own unless `once` is one, and If-Match."""
    key = str(uuid4()) if once is None else once
    return {"Idempotency-Key": key, **({"If-Match": etag} if etag is not None else {})}


def get(path: str, model: type[Model], **query: str | int | float | bool | None) -> Call[Model]:
    """A read."""
    return Call("GET", path, model.model_validate_json, query=query)


def post(path: str, body: object, model: type[Model], headers: Mapping[str, str]) -> Call[Model]:
    """A write; where `body` is None it has none."""
    content = None if body is None else orjson.dumps(body)
    return Call("POST", path, model.model_validate_json, body=content, headers=headers)


def patch(path: str, body: object, model: type[Model], headers: Mapping[str, str]) -> Call[Model]:
    """A change of what is there."""
    return Call("PATCH", path, model.model_validate_json, body=orjson.dumps(body), headers=headers)


def delete(path: str, headers: Mapping[str, str]) -> Call[None]:
    """A removal; nothing is answered."""
    return Call("DELETE", path, _nothing, headers=headers)


def _nothing(_: bytes) -> None:
    return None

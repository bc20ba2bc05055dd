"""A Confluent schema registry as client: puts our schemas there, fetches those of others."""

from __future__ import annotations

from typing import cast

import fastavro
import httpx
import orjson

from pipeline.errors import ConfigurationError, RegistryUnavailable

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"


class Registry:
    """The few calls we need. Raises RegistryUnavailable (away) and ConfigurationError (it refuses)."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            base_url=url.rstrip("/"), timeout=10, headers={"Content-Type": _CONTENT_TYPE}, transport=transport
        )

    def register(self, subject: str, schema: str) -> int:
        """Register the schema's text under the subject; the same text gives the same id again."""
        body = orjson.dumps({"schema": schema, "schemaType": "AVRO"})
        answer = self._call("POST", f"/subjects/{subject}/versions", body)
        if answer.is_error:
            raise ConfigurationError(
                f"the schema registry refuses {subject} (HTTP {answer.status_code}): "
                "is its compatibility level stricter than schemas/topics.yaml says?"
            )
        return int(answer.json()["id"])

    def schema(self, schema_id: int) -> dict[str, object] | None:
        """The parsed schema of an id, or None where the registry knows none or it is not Avro."""
        answer = self._call("GET", f"/schemas/ids/{schema_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_error:
            raise RegistryUnavailable(f"the schema registry answers HTTP {answer.status_code}")
        found = answer.json()
        if found.get("schemaType", "AVRO") != "AVRO":
            return None
        return cast(dict[str, object], fastavro.parse_schema(orjson.loads(found["schema"])))

    def _call(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        try:
            answer = self._client.request(method, path, content=content)
        except httpx.HTTPError as exc:
            raise RegistryUnavailable(type(exc).__name__) from exc
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise RegistryUnavailable(f"the schema registry answers HTTP {answer.status_code}")
        return answer

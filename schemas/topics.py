"""The topics as `schemas/topics.yaml` declares them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pipeline.errors import ConfigurationError

Compatibility = Literal[
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
]


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Topic:
    """One topic. `schema` is the stem of its file in schemas/avro; compacted ones keep each key for ever."""

    name: str
    schema: str
    key: str
    owner: str
    partitions: int = Field(ge=1)
    replication_factor: int = Field(ge=1)
    compatibility: Compatibility
    retention_hours: int | None = Field(None, ge=1)
    compacted: bool = False

    @property
    def subject(self) -> str:
        """The name of its value schema in a Confluent registry (TopicNameStrategy)."""
        return f"{self.name}-value"


@lru_cache(maxsize=1)
def topics() -> Mapping[str, Topic]:
    """Every topic by its name, without a prefix. Raises ConfigurationError where topics.yaml is wrong."""
    text = resources.files("schemas").joinpath("topics.yaml").read_text("utf-8")
    declared = yaml.safe_load(text)
    topic = TypeAdapter(Topic)
    try:
        found = {
            name: topic.validate_python({"name": name, **declared["defaults"], **values})
            for name, values in declared["topics"].items()
        }
    except (ValidationError, KeyError, TypeError) as exc:
        raise ConfigurationError(f"schemas/topics.yaml is wrong: {exc}") from exc
    return MappingProxyType(found)

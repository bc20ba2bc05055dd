"""What the stack remembers between commands: stack.json, readable by its owner only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from infra.embedded.kafka import Proxied
from infra.embedded.processes import Recorded
from pipeline.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the stack is reached."""

    kafka_bootstrap: str
    postgres_dsn: str = field(repr=False)
    redis_url: str
    gateway_port: int
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """The ports by role, the API key of the gateway, the processes by server, and Kafka's second door if it has one."""

    ports: Mapping[str, int]
    api_key: str = field(repr=False)
    processes: Mapping[str, Recorded] = field(default_factory=dict)
    proxied: Proxied | None = None

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The state on file; None if there is none. Raises ConfigurationError where it cannot be used."""
        try:
            held = json.loads(file.read_text("utf-8"))
            processes = {name: Recorded(**entry) for name, entry in held["processes"].items()}
            proxied = Proxied(*held["proxied"]) if held.get("proxied") else None
            return cls(held["ports"], held["api_key"], processes, proxied)
        except FileNotFoundError:
            return None
        except PermissionError as exc:
            raise ConfigurationError(
                f"{file} belongs to another user: run as that user, or set RB_HOME to a folder of your own."
            ) from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise ConfigurationError(
                f"{file} is damaged; remove it (the data is kept) and start again."
            ) from exc

    def write(self, file: Path) -> None:
        """Replace the file in one step, so that no reader meets half of it."""
        fresh = file.with_suffix(".new")
        fresh.touch(0o600)
        fresh.write_text(json.dumps(asdict(self), indent=1), "utf-8")
        fresh.replace(file)

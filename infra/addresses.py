"""Which servers a command speaks to: what RB_* says, else the embedded stack if it runs, else the defaults."""

from __future__ import annotations

import os

from pydantic import SecretStr

from infra.embedded.stack import Stack
from infra.embedded.state import Addresses
from pipeline.settings import Settings, settings

SERVER_VARIABLES = ("RB_KAFKA_BOOTSTRAP", "RB_POSTGRES_DSN", "RB_REDIS_URL")
ADDRESS_SETTINGS = ("kafka_bootstrap", "postgres_dsn", "redis_url", "gateway_port", "api_keys")


def effective_settings() -> Settings:
    """The settings with the running stack's addresses in place of what the environment leaves unsaid."""
    found = settings()
    stack = Stack(found.home)
    return with_addresses(found, stack.last_addresses()) if any(stack.running().values()) else found


def own_servers() -> bool:
    """Whether the environment names all three servers, so that none has to be embedded."""
    return all(name in os.environ for name in SERVER_VARIABLES)


def with_addresses(found: Settings, addresses: Addresses) -> Settings:
    """`found` with the stack's addresses, except where the environment names its own.

    What `found` leaves unsaid stays so: a threshold that nobody set must not outrank the policy's.
    """
    values: dict[str, object] = {
        "kafka_bootstrap": addresses.kafka_bootstrap,
        "postgres_dsn": addresses.postgres_dsn,
        "redis_url": addresses.redis_url,
        "gateway_port": addresses.gateway_port,
        "api_keys": addresses.api_key,
    }
    unsaid = {name: value for name, value in values.items() if f"RB_{name.upper()}" not in os.environ}
    return Settings.model_validate({**found.model_dump(exclude_unset=True), **unsaid})


def with_gateway_port(found: Settings, port: int) -> Settings:
    """`found` with this port of the gateway, except where the environment names its own."""
    return found if "RB_GATEWAY_PORT" in os.environ else found.model_copy(update={"gateway_port": port})


def variables(found: Settings) -> dict[str, str]:
    """The environment variables that lead a process to the same servers, folder and gateway."""
    named = {"RB_HOME": str(found.home.resolve())}
    for name in ADDRESS_SETTINGS:
        value = getattr(found, name)
        named[f"RB_{name.upper()}"] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return named

"""What a steward's commands act with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.seen import Seen
    from pipeline.steward import Stewardship
    from pipeline.store.roles import Role


def seen(etag: str | None) -> Seen:
    """What was read, by its ETag if that is given."""
    return None if etag is None else frozenset((f'"{etag.strip(chr(34))}"',))  # shells take quotes away


@contextmanager
def stewardship(role: Role | None = None, *, as_owner: bool = False) -> Iterator[Stewardship]:
    """By the settings of the environment, on a connection of its own, which takes that role, a steward's where none is
    given; or none, and does as the owner what no role may. Raises ConfigurationError."""
    from infra.addresses import effective_settings
    from pipeline.configuration import load_model, load_policy
    from pipeline.privacy.keyring import load_key_ring
    from pipeline.steward import Stewardship
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role
    from schemas.codec import load_codec

    settings = effective_settings()
    ring, codec = load_key_ring(settings), load_codec(settings)
    owning = settings.postgres_dsn.get_secret_value()
    with Database(owning if as_owner else as_role(settings, role or Role.STEWARD), "cli") as database:
        yield Stewardship(database, ring, codec, load_model(settings), load_policy(settings))

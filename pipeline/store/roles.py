"""The database roles: one for each use that is made of Postgres, and how a connection takes its own.

A role is a group that nobody logs in as. What each may do is declared in pipeline/store/rights.py (docs/adr/0033).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pipeline.settings import Settings


class Role(StrEnum):
    """What a connection is for; the value is the role's name in Postgres."""

    GATEWAY = "rb_gateway"
    AUDIT = "rb_audit"
    STEWARD = "rb_steward"
    ERASER = "rb_eraser"
    OPERATOR = "rb_operator"
    KEYS = "rb_keys"
    NORMALIZE = "rb_normalize"
    RESOLVE = "rb_resolve"
    RELAY = "rb_relay"
    CONSUMER = "rb_consumer"
    EMBEDDINGS = "rb_embeddings"
    WEBHOOKS = "rb_webhooks"
    ANALYST = "rb_analyst"
    AUDITOR = "rb_auditor"


MEANINGS: Mapping[Role, str] = {
    Role.GATEWAY: "what the gateway reads, sealed contents and their keys included; writes when an API key was used",
    Role.AUDIT: "the gateway's connection that tells the audit log who was shown what",
    Role.STEWARD: "acts on a steward's word: answers, unmerges, joins, constraints",
    Role.ERASER: "forgets people: what a steward may, and to delete",
    Role.OPERATOR: "dead letters, webhooks and pauses, from the gateway and the command line",
    Role.KEYS: "makes, rotates and revokes API keys",
    Role.NORMALIZE: "the normalize stage",
    Role.RESOLVE: "the resolve stage",
    Role.RELAY: "the relay's process: outbox, filing of dead letters, chain of the audit log",
    Role.CONSUMER: "cache, recommendations and insights: pauses, and nothing else",
    Role.EMBEDDINGS: "the consumer embeddings: what was bought by which profile",
    Role.WEBHOOKS: "delivers to webhooks",
    Role.ANALYST: "reads for verify, whatif, train, explain and the exports of the command line",
    Role.AUDITOR: "reads and checks the audit log",
}
"""What each is for."""

GATEWAY_ROLES = (Role.GATEWAY, Role.AUDIT, Role.STEWARD, Role.ERASER, Role.OPERATOR)
"""Those that connections of the gateway's process take."""

_OF_STAGES: Mapping[str, Role] = {
    "normalize": Role.NORMALIZE,
    "resolve": Role.RESOLVE,
    "letters": Role.RELAY,
    "embeddings": Role.EMBEDDINGS,
}


def role_of(stage: str) -> Role:
    """The role of a stage, or of a consumer that only looks whether it is paused."""
    return _OF_STAGES.get(stage, Role.CONSUMER)


def as_role(settings: Settings, role: Role) -> str:
    """The DSN by which a connection takes the role when it begins; as it is where RB_POSTGRES_ROLES is off."""
    dsn = settings.postgres_dsn.get_secret_value()
    return with_options(dsn, f"-c role={role.value}") if settings.postgres_roles else dsn


def with_options(dsn: str, options: str) -> str:
    """The DSN with server options beside those that it names."""
    named = conninfo_to_dict(dsn).get("options")
    return make_conninfo(dsn, options=options if named is None else f"{named} {options}")

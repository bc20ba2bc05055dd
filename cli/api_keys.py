"""`retail-brain api-keys`: keys of the gateway's callers, kept in the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from pipeline.api_keys.stored import Issued
    from pipeline.store.database import Transaction

app = typer.Typer(no_args_is_help=True, help="API keys of the gateway's callers, kept in the database.")

Answer = TypeVar("Answer")
Named = Annotated[str, typer.Argument(help="The key's name or id.")]
Actor = Annotated[str, typer.Option(help="Who does it; kept with the key.")]
Reason = Annotated[str | None, typer.Option(help="Why; kept in the audit log.", show_default=False)]
Expires = Annotated[
    str | None,
    typer.Option(help="Until when it opens: a time (ISO 8601, UTC unless it says), or a span as 90d."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(help="Who holds it: what is done by the key is kept with this name.")
    ],
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it may do: ingest, read, read:pii, steward, admin, audit, privacy; say it for each."
        ),
    ],
    expires: Expires = None,
    rate_limit: Annotated[
        int | None,
        typer.Option(help="Requests a minute, in place of RB_RATE_LIMIT_PER_MINUTE; 0 is no limit."),
    ] = None,
    actor: Actor = "cli",
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is printed this once, alone on stdout; only its hash is kept."""
    import secrets

    from pipeline.api_keys.scope import scopes_of
    from pipeline.api_keys.stored import Wanted, create

    now = _now()
    wanted = Wanted(name, scopes_of(scope), _end(expires, now), rate_limit)
    _say(_run(lambda tx: create(tx, wanted, actor, now, secrets.token_bytes, reason)), as_json)


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those revoked and expired as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keys, the newest first; their secrets are kept nowhere."""
    import orjson

    from pipeline.api_keys.stored import listed
    from pipeline.api_keys.text import as_rows, table

    now = _now()
    keys = _run(lambda tx: listed(tx, now, everything=everything))
    if as_json:
        typer.echo(orjson.dumps(as_rows(keys, now)))
    else:
        typer.echo(table(keys, now), nl=False)


@app.command()
def revoke(named: Named, actor: Actor = "cli", reason: Reason = None) -> None:
    """End a key for good: gateways refuse it within 5 seconds."""
    from pipeline.api_keys.stored import revoke

    key = _run(lambda tx: revoke(tx, named, actor, _now(), reason))
    typer.echo(f"{key.name} ({key.key_id}) is revoked: gateways refuse it within 5 seconds")


@app.command()
def rotate(
    named: Named,
    grace: Annotated[
        str, typer.Option(help="For how long the secret before opens as well: 24h, 30m, 7d; 0s ends it now.")
    ] = "24h",
    expires: Expires = None,
    actor: Actor = "cli",
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Give a key another secret, under the same id and name, printed as `create` does."""
    import secrets

    from pipeline.api_keys.stored import Rotation, rotate
    from pipeline.api_keys.text import span_of

    now = _now()
    rotation = Rotation(span_of(grace, "grace"), _end(expires, now))
    _say(_run(lambda tx: rotate(tx, named, rotation, actor, now, secrets.token_bytes, reason)), as_json)


def _say(issued: Issued, as_json: bool) -> None:
    import orjson

    from pipeline.api_keys.text import issued_row, told

    if as_json:
        typer.echo(orjson.dumps(issued_row(issued)))
        return
    typer.echo(told(issued), err=True, nl=False)
    typer.echo(issued.secret)


def _run(act: Callable[[Transaction], Answer]) -> Answer:
    from infra.addresses import effective_settings
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role

    dsn = as_role(effective_settings(), Role.KEYS)
    with Database(dsn, "cli") as database, database.transaction() as tx:
        return act(tx)


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _end(text: str | None, now: datetime) -> datetime | None:
    from pipeline.api_keys.text import end_of

    return None if text is None else end_of(text, now)

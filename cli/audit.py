"""`retail-brain audit`: the audit log, checked, exported and read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.audit.breach import Finding
    from pipeline.audit.signing import Head
    from pipeline.settings import Settings
    from pipeline.store.database import Database

app = typer.Typer(no_args_is_help=True, help="The audit log: who did and saw what, when and why.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(help="An export to check without the database; none: the database.")
    ] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="A head that was kept, as `head` printed it or the relay logged it; once or more."),
    ] = None,
    public_key: Annotated[
        list[str] | None,
        typer.Option(help="Of an export: what `key` printed on the house it is of; once or more."),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(help="Of the database: check only what stands behind this head, which was kept."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that nothing was changed, removed, reordered or put in. Exit status 1 where something was.

    Of the database also whether everything that belongs into the chain is in it, and whether the merge log says what it
    said then. That its end was not cut off only a head that was kept elsewhere can prove.
    """
    from pipeline.audit.exported import verify_file
    from pipeline.audit.signing import Head
    from pipeline.audit.text import outside
    from pipeline.audit.verification import verify_stored
    from pipeline.errors import BadInput
    from pipeline.privacy.keyring import load_key_ring

    heads = [Head.parse(text) for text in head or ()]
    behind = None if after is None else Head.parse(after)
    if file is None:
        if public_key:
            raise BadInput(
                "--public-key", "it is for checking a file; the database is checked by the key ring"
            )
        settings = _settings()
        with _database(settings) as database:
            stored = verify_stored(database, load_key_ring(settings), heads, behind)
        _told(stored.entries, stored.head, stored.findings, 0 if behind is None else behind.seq - 1, as_json)
    else:
        if behind is not None:
            raise BadInput(
                "--after", "it is for checking the database; a file begins where it was exported from"
            )
        found = verify_file(file, _given(public_key or []), heads)
        opening, checked = found.opening, found.checked
        if not as_json:
            typer.echo(outside(found.outside, opening.after, opening.head.seq), nl=False)
        _told(checked.seq, checked.signed, checked.findings, opening.after, as_json, found.outside)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write, a line of JSON an entry. `-` is stdout.")],
    after: Annotated[int, typer.Option(min=0, help="Only what was chained behind this place.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write the chain as it stands, to be checked anywhere by `audit verify FILE --public-key`."""
    from datetime import UTC, datetime

    import orjson

    from cli.files import STDOUT, written
    from pipeline.audit.export import export
    from pipeline.privacy.keyring import load_key_ring

    settings = _settings()
    to_stdout = out == STDOUT
    with _database(settings) as database, written(out) as file:
        signer = load_key_ring(settings).audit_signer
        count, head = export(database, signer, file, datetime.now(UTC), after)
    if as_json:
        told = {"entries": count, "out": str(out), "head": str(head)}
        typer.echo(orjson.dumps(told).decode(), err=to_stdout)
    elif not to_stdout:
        typer.echo(f"{count:,} entries written to {out}")


@app.command("list")
def list_(
    actor: Annotated[str | None, typer.Option(help="Only what this actor did.")] = None,
    action: Annotated[
        list[str] | None, typer.Option(help="Only this action, such as customer.revealed; once or more.")
    ] = None,
    about: Annotated[
        str | None, typer.Option(help="Only what was about this: an id, or a kind and an id as in review:ID.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only entries from then on: ISO 8601, UTC unless it says.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only entries before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Entries, the newest first."""
    import orjson

    from cli.dlq_input import time_of
    from pipeline.audit.actions import actions_of
    from pipeline.audit.asked import AskedEntries
    from pipeline.audit.text import as_data, listed
    from pipeline.store.audit import read_entries

    asked = AskedEntries(
        actor, actions_of(action or ()), about, time_of("--since", since), time_of("--until", until)
    )
    with _database(_settings()) as database, database.transaction() as tx:
        rows = read_entries(tx, asked, limit + 1)
    if as_json:
        typer.echo(orjson.dumps([as_data(row) for row in rows[:limit]]).decode())
    else:
        typer.echo(listed(rows[:limit], more=len(rows) > limit), nl=False)


@app.command()
def head() -> None:
    """Print where the chain stands, signed, to be kept elsewhere: `verify --head` finds by it what is cut off later."""
    from pipeline.errors import NotFound
    from pipeline.store.audit import last_head

    with _database(_settings()) as database, database.transaction() as tx:
        found = last_head(tx)
    if found is None or found[2] is None:
        raise NotFound("nothing is chained, or its end was cut off; `retail-brain audit verify` says which")
    typer.echo(str(found[2]))


@app.command()
def key() -> None:
    """Print the public keys that exports are checked by, one a version of the key ring: anybody may know them."""
    from pipeline.audit.signing import key_text

    for version, public_key in sorted(_keys(_settings()).items()):
        typer.echo(key_text(version, public_key))


def _given(public_keys: Sequence[str]) -> dict[int, bytes]:
    from pipeline.audit.signing import key_of
    from pipeline.errors import BadInput

    if not public_keys:
        raise BadInput(
            "--public-key", "give what `retail-brain audit key` prints on the house that the file is of"
        )
    return dict(map(key_of, public_keys))


def _settings() -> Settings:
    from infra.addresses import effective_settings

    return effective_settings()


def _database(settings: Settings) -> Database:
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role

    return Database(as_role(settings, Role.AUDITOR), "cli")


def _keys(settings: Settings) -> dict[int, bytes]:
    from pipeline.privacy.keyring import load_key_ring

    return load_key_ring(settings).audit_keys()


def _told(
    entries: int,
    head: Head | None,
    findings: Sequence[Finding],
    after: int,
    as_json: bool,
    outside: Sequence[Head] = (),
) -> None:
    import orjson

    from pipeline.audit.text import verified

    if as_json:
        found = {
            "entries": entries,
            "head": None if head is None else str(head),
            "findings": [finding.as_dict() for finding in findings],
            **({"heads_outside": [str(one) for one in outside]} if outside else {}),
        }
        typer.echo(orjson.dumps(found).decode())
    else:
        typer.echo(verified(entries, head, findings, after), nl=False)
    if findings:
        raise typer.Exit(1)

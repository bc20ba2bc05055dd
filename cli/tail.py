"""`retail-brain tail`: decisions as they happen."""

from __future__ import annotations

from typing import Annotated, cast

import typer

_DECISIONS = ("event.linked", "identity.*", "review.*")


def tail(
    kind: Annotated[
        list[str] | None,
        typer.Option("--type", help="Types of changes, such as identity.merged or review.*; repeatable."),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Only what speaks of this profile.")] = None,
    beginning: Annotated[bool, typer.Option(help="All that the topics hold, then what comes.")] = False,
    most: Annotated[int | None, typer.Option("--count", min=1, help="End after so many.")] = None,
    gateway: Annotated[str | None, typer.Option(help="Another gateway's address.")] = None,
    api_key: Annotated[str | None, typer.Option(help="The API key; it needs the scope read.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each as JSON, a line each.")] = False,
) -> None:
    """Follow what is decided: events linked, customers merged and split, questions for stewards. Ends with Ctrl-C.

    Nothing of it is personal data: profiles go by their ids, evidence by its weights in bits.
    """
    from itertools import islice

    import orjson

    from client import Reading, RetailBrain
    from infra.addresses import effective_settings
    from infra.house import gateway_url
    from pipeline.api_keys.scope import Scope
    from pipeline.changes.lines import Told, line

    settings = effective_settings()
    key = api_key or settings.api_key_for(Scope.READ)
    reading = Reading(kind or _DECISIONS, profile, start="earliest" if beginning else "latest")
    with RetailBrain(gateway or gateway_url(settings), key) as client:
        try:
            for change in islice(client.changes(reading), most):
                typer.echo(orjson.dumps(change).decode() if as_json else line(cast(Told, change)))
        except KeyboardInterrupt:
            raise typer.Exit from None

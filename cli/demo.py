"""`retail-brain demo`: the house, a real labelled stream, and what came of it."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    force: Annotated[
        bool,
        typer.Option("--force", help="Also where RB_* names servers of your own: the demo's customers stay."),
    ] = False,
    story: Annotated[bool, typer.Option(help="Undo one merge to show how.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Send a real, labelled stream through the whole pipeline and show what came of it.

    Starts what does not run yet, and leaves it running. Twice in a row is harmless: event ids deduplicate.
    """
    import os

    from cli.progress import progress
    from client import RetailBrain
    from demo.run import Demo
    from infra import house
    from infra.addresses import SERVER_VARIABLES
    from pipeline.api_keys.scope import Scope
    from pipeline.errors import ConfigurationError
    from pipeline.settings import settings

    if not force and any(name in os.environ for name in SERVER_VARIABLES):
        raise ConfigurationError(
            "RB_* names servers of your own, and the demo would add 2,000 made-up customers to them: unset it "
            "to use the embedded stack, or say --force"
        )
    with progress(quiet=as_json) as display:
        task = display.add_task("starting", total=None)

        def step(what: str, done: int | None = None, total: int | None = None) -> None:
            display.update(task, description=what, completed=done, total=total)

        reached = house.servers_up(settings(), step, lambda done, total: step("fetching Kafka", done, total))
        reached = house.processes_up(reached, told=step)
        key = reached.api_key_for(Scope.INGEST, Scope.READ, Scope.STEWARD)
        with RetailBrain(house.gateway_url(reached), key) as client:
            told = Demo(reached, client, step).run(with_story=story)
    if as_json:
        import orjson

        typer.echo(orjson.dumps(told, default=str, option=orjson.OPT_INDENT_2).decode())
        return
    from rich.console import Console

    from demo.telling import tell

    tell(Console(), told, house.gateway_url(reached), key)

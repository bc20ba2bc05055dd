"""`retail-brain`: the one entry point. Commands import what they need when they run, so that --help is quick."""

from __future__ import annotations

import sys

import typer

from cli import (
    api_keys,
    audit,
    constraints,
    dlq,
    erase,
    keys,
    merge,
    retention,
    review,
    servers,
    stage,
    webhooks,
)
from cli.demo import demo
from cli.explain import explain
from cli.export import export
from cli.export_person import export_person
from cli.ingest import ingest
from cli.replay import replay
from cli.resolve import resolve
from cli.tail import tail
from cli.train import train
from cli.verify import verify
from cli.whatif import whatif

app = typer.Typer(
    name="retail-brain",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def before(context: typer.Context) -> None:
    """Streaming customer identity resolution: one trustworthy profile per customer."""
    if context.invoked_subcommand != "run":  # a long-running process says itself how it logs
        from pipeline.log import to_stderr

        to_stderr()


for command in (
    servers.up,
    servers.down,
    servers.status,
    servers.doctor,
    servers.migrate,
    servers.topics,
    servers.run,
    demo,
    ingest,
    resolve,
    export,
    export_person,
    verify,
    train,
    whatif,
    replay,
    explain,
    tail,
):
    app.command()(command)
app.add_typer(api_keys.app, name="api-keys")
app.add_typer(audit.app, name="audit")
app.add_typer(constraints.app, name="constraints")
app.add_typer(dlq.app, name="dlq")
app.add_typer(erase.app, name="erase")
app.add_typer(keys.app, name="keys")
app.add_typer(merge.app, name="merge")
app.add_typer(retention.app, name="retention")
app.add_typer(review.app, name="review")
app.add_typer(stage.app, name="stage")
app.add_typer(webhooks.app, name="webhooks")


_MENDS = {
    401: "; give a valid key with --api-key or RB_API_KEYS",
    403: "; give another key with --api-key or RB_API_KEYS",
    404: "; check --gateway",
}
"""What else to say of a request that the gateway refused."""


def main() -> None:
    """Run the command line. An error that we foresaw is one message on stderr and exit status 1, no traceback."""
    from pipeline.errors import RequestRefused, RetailBrainError

    try:
        app()
    except RetailBrainError as exc:
        mend = _MENDS.get(exc.status, "") if isinstance(exc, RequestRefused) else ""
        sys.stderr.write(f"{type(exc).__name__}: {exc}{mend}\n")
        sys.exit(1)

"""`retail-brain verify`: does everything stand as clustering all of it from scratch says?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.verify.verification import Verification

_SHOWN = 10


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything found as JSON.")] = False,
) -> None:
    """Open everything stored, cluster it from scratch and report every difference from what stands.

    Reads one snapshot: the pipeline may run on. Writes nothing. Exit status 1 where anything differs.
    """
    import json
    from time import perf_counter

    from cli.progress import steps
    from infra.addresses import effective_settings
    from pipeline.configuration import load_model, load_policy
    from pipeline.privacy.keyring import load_key_ring
    from pipeline.store.database import Database
    from pipeline.store.roles import Role, as_role
    from pipeline.verify.verification import verify as verified

    settings = effective_settings()
    started = perf_counter()
    with (
        Database(as_role(settings, Role.ANALYST), "verify") as database,
        steps("records", "evidence", "compare", "cluster", quiet=as_json) as progress,
    ):
        found = verified(
            database, load_key_ring(settings), load_model(settings), load_policy(settings), progress
        )
    seconds = round(perf_counter() - started, 1)
    if as_json:
        told = {
            **found.counts,
            "seconds": seconds,
            "faults": {kind: len(faults) for kind, faults in found.of_kind().items()},
            "differences": [fault.as_dict() for fault in found.faults],
        }
        typer.echo(json.dumps(told))
    else:
        _tell(found, seconds)
    if found.faults:
        raise typer.Exit(1)


def _tell(found: Verification, seconds: float) -> None:
    from rich.console import Console

    from pipeline.verify.fault import MEANINGS

    console = Console(highlight=False)
    for name, count in found.counts.items():
        console.print(f"{name.replace('_', ' '):28} {count:>12,}")
    for faults in found.of_kind().values():
        kind = faults[0].kind
        console.print(f"\n[red]{len(faults):,} × {kind}[/]  {MEANINGS[kind]}")
        for fault in faults[:_SHOWN]:
            console.print(
                f"  {dict(fault.where)}\n    stands {fault.stands}\n    should {fault.should}", markup=False
            )
        if len(faults) > _SHOWN:
            console.print(f"  and {len(faults) - _SHOWN:,} more; --json tells all")
    console.print(
        f"\n{len(found.faults):,} differences in {seconds} s"
        if found.faults
        else f"\n[green]All stands as clustering it from scratch says[/] ({seconds} s)."
    )

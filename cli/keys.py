"""`retail-brain keys`: the versions of the key ring, and one in place of another while events flow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.privacy.ring_file import RingFile
    from pipeline.rotation.rotate import Asked
    from pipeline.rotation.work import House
    from pipeline.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="Versions of the key ring; one takes another's place as events flow."
)

Actor = Annotated[str, typer.Option(help="Who does it; kept in the audit log.")]
Reason = Annotated[str | None, typer.Option(help="Why; kept in the audit log.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The versions that the ring holds, and those that were retired. Secrets are not shown."""
    import orjson

    from infra.addresses import effective_settings
    from pipeline.privacy.keyring import load_key_ring

    file = load_key_ring(effective_settings()).file
    rows = [
        {
            "version": version,
            "current": version == file.current,
            "names_records": version == file.named_by,
            "retired": version in file.retired,
        }
        for version in sorted({**file.keys, **file.retired})
    ]
    if as_json:
        typer.echo(orjson.dumps(rows))
        return
    for row in rows:
        marks = [name.replace("_", " ") for name, is_so in row.items() if is_so is True]
        typer.echo(f"{row['version']:>5}  {', '.join(marks)}".rstrip())


@app.command()
def status(as_json: AsJson = False) -> None:
    """What each version is used for, what rests on it, and where a rotation is."""
    import orjson

    from pipeline.rotation.retire import kept
    from pipeline.store.key_versions import stored_versions

    with _house() as (house, _, redis), house.database.transaction() as tx:
        stored, versions = stored_versions(tx), kept(tx, house, redis)
        found_by = stored.known_to(house.ring).looked_up
    if as_json:
        told = {
            "looked_up": found_by,
            "rotation": None if stored.step is None else {"other": stored.other, "step": stored.step},
            "versions": [
                {"version": v.version, "uses": list(v.uses), "resting": dict(v.resting)} for v in versions
            ],
        }
        typer.echo(orjson.dumps(told))
        return
    for one in versions:
        resting = [f"{count:,} in {where}" for where, count in one.resting.items()]
        typer.echo(f"{one.version:>5}  {'; '.join([*one.uses, *resting]) or 'nothing rests on it'}")
    if stored.step is not None:
        typer.echo(f"A rotation is at `{stored.step}`: go on with `retail-brain keys rotate`")


@app.command()
def add() -> None:
    """Add a version that is not used yet, for processes with their own copies of the ring: all need it before.

    A ring that stands in RB_KEY_RING is printed with that version: it holds secrets.
    """
    from pipeline.privacy.keyfile import written
    from pipeline.rotation.rotate import add_version

    with _house() as (house, kept, _):
        file = add_version(house, kept)
    if kept is None:
        typer.echo(
            f"Set RB_KEY_RING to this in every process, then make {max(file.keys)} current in it", err=True
        )
        typer.echo(written(file))
    else:
        typer.echo(
            f"{kept.path} holds version {max(file.keys)}: once every process has it, `retail-brain keys rotate`"
        )


@app.command()
def seal() -> None:
    """Have the ring's file sealed by the key management service that the settings name: the file alone opens nothing
    then. Opens and seals one that is sealed, so that it rests on the newest version of the key there."""
    from infra.addresses import effective_settings
    from pipeline.errors import ConfigurationError
    from pipeline.privacy.keyring import ring_file

    kept = ring_file(effective_settings())
    if kept is None or kept.sealer is None:
        raise ConfigurationError(
            "nothing seals the key ring: set RB_VAULT_URL, and RB_KEY_RING_FILE to its file"
        )
    kept.replace(kept.read())
    typer.echo(f"{kept.path} is sealed: destroy its copies that are not")


@app.command()
def rotate(
    rate: Annotated[
        int, typer.Option(min=0, help="Most records or keys a second; 0 is as fast as it goes.")
    ] = 2_000,
    batch: Annotated[int, typer.Option(min=1, help="So many in one transaction.")] = 500,
    reason: Reason = None,
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """Have another version take the place of the current one: all is hashed and wrapped anew, while events flow.

    Can be ended at any time, and run again to go on.
    """
    import orjson

    from cli.progress import steps
    from pipeline.rotation.pace import Pace
    from pipeline.rotation.rotate import begin, rotate
    from pipeline.store.key_versions import Step

    asked = _asked(actor, reason)
    done: dict[str, int] = {}
    with _house() as (house, kept, _), steps(*Step, quiet=as_json) as shown:

        def progress(step: str, count: int, total: int) -> None:
            done[step] = max(done.get(step, 0), count)
            shown(step, count, total)

        begun = begin(house, asked, kept)
        rotate(house, asked, Pace(rows=batch, per_s=rate), progress)
        version = house.ring.current.version
    if as_json:
        typer.echo(orjson.dumps({"current": version, "went_on": begun is None, "done": done}))
    else:
        typer.echo(f"Records are found by version {version}, and every data key is wrapped by it")


@app.command()
def rewrap(
    rate: Annotated[
        int, typer.Option(min=0, help="Most data keys a second; 0 is as fast as it goes.")
    ] = 2_000,
) -> None:
    """Wrap the data keys by the current version that a process with an older ring has wrapped since a rotation."""
    from cli.progress import steps
    from pipeline.rotation.pace import Pace
    from pipeline.rotation.rotate import rewrap
    from pipeline.store.key_versions import Step

    with _house() as (house, _, _), steps(Step.REWRAP) as progress:
        count = rewrap(house, Pace(per_s=rate), progress)
    typer.echo(f"{count:,} data keys are wrapped by the current version")


@app.command()
def retire(
    version: Annotated[int, typer.Argument(help="The version to give up.")],
    reason: Reason = None,
    actor: Actor = "cli",
) -> None:
    """Take a version out of the ring for good. Refused while anything rests on it."""
    from pipeline.rotation.retire import retire

    with _house() as (house, kept, redis):
        retire(house, version, _asked(actor, reason), kept, redis)
    typer.echo(f"version {version} is retired: copies of the ring and backups of it may still hold it")


def _asked(actor: str, reason: str | None) -> Asked:
    from datetime import UTC, datetime

    from pipeline.rotation.rotate import Asked

    return Asked(actor, reason, datetime.now(UTC))


@contextmanager
def _house() -> Iterator[tuple[House, RingFile | None, Redis]]:
    """What is rotated, where the ring's file is, and Redis."""
    from redis import Redis

    from infra.addresses import effective_settings
    from pipeline.privacy import keyring
    from pipeline.rotation.work import House
    from pipeline.store.database import Database
    from schemas.codec import load_codec

    settings: Settings = effective_settings()
    ring, codec = keyring.load_key_ring(settings), load_codec(settings)
    with (
        Database(settings.postgres_dsn.get_secret_value(), "keys") as database,
        Redis.from_url(settings.redis_url) as redis,
    ):
        yield House(database, ring, codec), keyring.ring_file(settings), redis

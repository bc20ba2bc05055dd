"""`retail-brain erase`: forget people, check the receipts of it, and forget them again in a restored backup."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.erasure.erase import Erased
    from pipeline.erasure.receipt import Receipt

app = typer.Typer(no_args_is_help=True, help="Forget people, and prove it.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Actor = Annotated[str, typer.Option(help="Who asks for it.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A receipt.")]


@app.command()
def person(
    profile_id: Annotated[UUID, typer.Argument(help="Any id that leads to the customer.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the receipt. Name nobody in it.")],
    receipt: Annotated[
        Path | None, typer.Option(help="Write the signed receipt to this file.", show_default=False)
    ] = None,
    actor: Actor = "cli",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    plan: Annotated[
        str | None,
        typer.Option(help="The plan that a dry run named: do just that, or nothing.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forget a customer for good: data keys destroyed, hashes deleted, consumers told. First with --dry-run."""
    from datetime import UTC, datetime

    from cli.steward import stewardship
    from pipeline.erasure.erase import erase_person
    from pipeline.identity.ids import Id
    from pipeline.store.roles import Role
    from pipeline.unmerge.asked import Asked

    asked = Asked(actor, reason, datetime.now(UTC), dry_run, plan)
    if receipt is not None and not dry_run:
        receipt.touch()  # what cannot be written is told before anything is destroyed
    with stewardship(Role.ERASER) as by:
        done = erase_person(by, Id(profile_id.bytes), asked)
    if receipt is not None and done.receipt is not None:
        receipt.write_bytes(done.receipt)
    _tell(done, receipt, as_json)


@app.command()
def verify(
    receipt: File,
    public_key: Annotated[
        str | None,
        typer.Option(
            help="Base64; in place of the key ring's, and Postgres is not asked.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a receipt's signature, and that nothing of the person stands in Postgres. Exit status 1 where it does."""
    from pipeline.erasure.receipt import checked

    document = receipt.read_bytes()
    left: Mapping[str, int] = {}
    if public_key is not None:
        found = checked(document, _given(public_key, document))
    else:
        from cli.steward import stewardship
        from pipeline.erasure.again import standing
        from pipeline.store.roles import Role

        with stewardship(Role.ERASER) as by:
            found = checked(document, by.ring.receipt_keys())
            left = standing(by.database, found.receipt)
    _tell_checked(found.receipt, left, public_key is None, as_json)
    raise typer.Exit(1 if left else 0)


@app.command()
def log() -> None:
    """Print every receipt, with the ids of the events that went, for `erase again`: keep them apart from backups."""
    from cli.steward import stewardship
    from pipeline.erasure.again import log_line
    from pipeline.store.roles import Role

    with stewardship(Role.ERASER) as by, by.database.transaction() as tx:
        for document, events in tx.stream("read_erasures"):
            sys.stdout.write(log_line(bytes(document), events).decode() + "\n")


@app.command()
def again(
    receipts: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="Receipts, one a line, as `erase log` printed them."
        ),
    ],
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """After a backup was restored: forget everybody again whose receipt is in the file, signed."""
    from datetime import UTC, datetime

    import orjson

    from cli.steward import stewardship
    from pipeline.erasure.again import erase_again
    from pipeline.store.roles import Role

    with stewardship(Role.ERASER) as by, receipts.open("rb") as lines:
        done = erase_again(by, lines, actor, datetime.now(UTC))
    if as_json:
        told = {
            "receipts": done.erasures,
            "forgotten": done.forgotten,
            "unclear": [str(p) for p in done.unclear],
        }
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
    else:
        sys.stdout.write(
            f"{done.erasures} erasures; {done.forgotten} customers stood again and were forgotten\n"
        )
        for profile in done.unclear:
            sys.stdout.write(
                f"NOT FORGOTTEN: {profile} consists of events of theirs and of others; take them apart first\n"
            )
    raise typer.Exit(1 if done.unclear else 0)


def _given(public_key: str, document: bytes) -> Mapping[int, bytes]:
    """The key given, as that of the document's version."""
    import orjson

    from pipeline.errors import BadInput

    try:
        key = base64.b64decode(public_key, validate=True)
        return {int(orjson.loads(document)["key_version"]): key}
    except ValueError:
        raise BadInput(
            "--public-key", "it is no base64, or the file is no receipt; give 32 bytes in base64"
        ) from None
    except (KeyError, TypeError):
        raise BadInput("receipt", "it is no receipt of an erasure") from None


def _tell(done: Erased, receipt: Path | None, as_json: bool) -> None:
    import orjson

    if as_json:
        told = {
            "profile_id": str(done.profile_id),
            "profiles": [str(p) for p in done.profiles],
            "done": done.done,
            "plan": done.plan,
            "dry_run": done.rehearsed,
            "receipt": None if done.receipt is None else orjson.loads(done.receipt),
        }
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
        return
    would = "would go" if done.rehearsed else "gone"
    lines = [f"customer {done.profile_id}, by {len(done.profiles)} ids"]
    lines += [f"  {count:>9,} {what} {would}" for what, count in done.done.items() if count]
    if done.rehearsed:
        lines.append(f"plan {done.plan}: give it with --plan to do just that")
    elif receipt is not None:
        lines.append(f"receipt in {receipt}: keep it, `retail-brain erase verify` checks it")
    else:
        lines.append("its receipt is kept: `retail-brain erase log` prints it")
    sys.stdout.write("\n".join(lines) + "\n")


def _tell_checked(receipt: Receipt, left: Mapping[str, int], asked: bool, as_json: bool) -> None:
    import orjson

    if as_json:
        told = {"receipt": receipt.model_dump(mode="json"), "signature": "holds", "standing": dict(left)}
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
        return
    at = f"{receipt.erased_at:%Y-%m-%d %H:%M} UTC"
    lines = [f"The signature holds: erasure {receipt.erasure_id} of {at} by {receipt.actor}."]
    lines += [
        f"  {r.where}: {r.what}" + (f", until {r.until:%Y-%m-%d}" if r.until else "") for r in receipt.remains
    ]
    lines += [f"STILL THERE: {count:,} {what}" for what, count in left.items()]
    if asked and not left:
        lines.append("Nothing of the person stands in Postgres.")
    sys.stdout.write("\n".join(lines) + "\n")

"""`python -m bench.matching`: matching against known truth. bench/README.md says what is measured and how."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.matching import with_splink
from bench.matching.datasets import data_sets
from bench.matching.measure import SEEDS, Bench, Measured
from bench.matching.result import Quality
from pipeline.configuration import load_model, load_policy
from pipeline.errors import RetailBrainError
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.settings import Settings

DATA = Path(__file__).parents[3] / "shared" / "data"
_WIDTH = 160
"""Of the table where no terminal has a say."""


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options; `--help` lists them."""
    parser = argparse.ArgumentParser(prog="python -m bench.matching", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of <name>/records.csv.gz")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this data set; repeatable"
    )
    parser.add_argument("--model", type=Path, help="a model file in place of the shipped priors")
    parser.add_argument("--policy", type=Path, help="a policy file in place of the shipped one")
    parser.add_argument(
        "--train", action="store_true", help="first learn a model from each data set, without labels"
    )
    parser.add_argument("--batch", type=int, default=1, help="rows resolved at a time")
    parser.add_argument("--no-splink", action="store_true", help="leave Splink out")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    parser.add_argument("--pairs-out", type=Path, help="write the wrong pairs to this file, as JSON lines")
    options = parser.parse_args(given)
    if options.batch < 1:
        parser.error("--batch must be at least 1")
    return options


def show(console: Console, found: Sequence[Measured]) -> None:
    """The result for people."""
    table = Table(title="Final clusters against the truth")
    for heading in (
        "data set", "by", "precision", "recall", "F1", "B³ F1", "blocking", "compared / record", "rows / CPU s",
        "reviews", "orders",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading in ("data set", "by") else "right")
    for one in found:
        core = one.core
        table.add_row(
            one.data.name, "Retail Brain", *_columns(core.quality), f"{core.blocking:.4f}",
            f"{core.comparisons_per_record:.1f}", f"{core.rows_per_cpu_s:,.0f}", f"{core.reviews:,}",
            "same" if core.depend_on_order == 0 else f"{core.depend_on_order:,} rows differ",
        )  # fmt: skip
        if one.splink:
            speed = f"{one.splink.rows_per_cpu_s:,.0f}"
            table.add_row("", "Splink, p ≥ 0.95", *_columns(one.splink.fixed), "", "", speed)
            best = f"Splink, best: {one.splink.best_weight:+.1f} bits"
            table.add_row("", best, *_columns(one.splink.best))
        table.add_section()
    console.print(table)
    for one in found:
        for note in one.splink.notes if one.splink else ():
            console.print(f"{one.data.name}, Splink: {note}", highlight=False)


def _columns(quality: Quality) -> tuple[str, ...]:
    pairs = quality.pairs
    return tuple(f"{n:.4f}" for n in (pairs.precision, pairs.recall, pairs.f1, quality.b_cubed.f1))


def report(
    options: argparse.Namespace, model: Model, policy: Policy, found: Sequence[Measured]
) -> dict[str, object]:
    """The result as JSON."""
    return {
        "data_sets": {one.data.name: one.numbers() for one in found},
        "model": model.version,
        "policy": policy.version,
        "batch": options.batch,
        "trained": options.train,
        "seeds": SEEDS,
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
    }


def main(given: Sequence[str]) -> int:
    """Run the benchmark; the exit status is 1 where the outcome depends on the order, or nothing could be measured."""
    options = arguments(given)
    console = Console(stderr=True)

    def say(step: str) -> None:
        console.print(step, style="dim", markup=False)

    try:
        settings = Settings(model_file=options.model, policy_file=options.policy)
        model, policy = load_model(settings), load_policy(settings)
        splink = not options.no_splink and with_splink.is_installed()
        if not splink and not options.no_splink:
            console.print("without Splink, which is not installed: pip install '.[bench]'", markup=False)
        with ExitStack() as stack:
            out: Path | None = options.pairs_out
            pairs = stack.enter_context(out.open("w", encoding="utf-8")) if out else None
            bench = Bench(
                model, policy, train=options.train, batch=options.batch, splink=splink, pairs=pairs, say=say
            )
            found = [bench.measure(data) for data in data_sets(options.data, options.only, say)]
    except RetailBrainError as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red", markup=False)
        return 1
    show(Console(width=None if sys.stdout.isatty() else _WIDTH), found)
    if options.json:
        options.json.write_text(json.dumps(report(options, model, policy, found), indent=2) + "\n", "utf-8")
    return 0 if found and all(one.core.depend_on_order == 0 for one in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m faults`: the fault campaign. docs/reliability.md says what it does and what it found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import orjson
from rich.console import Console

from faults.campaign import Outcome, campaign
from faults.plan import ROUNDS_A_HOUSE
from faults.summary import Line, summary
from pipeline.errors import RetailBrainError
from pipeline.log import configure
from pipeline.settings import Settings

_SHOWN = 20  # findings of a round


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The options; `--help` lists them."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what all rounds are made from")
    parser.add_argument("--rounds", type=int, default=10, help="how many rounds in all")
    parser.add_argument("--events", type=int, default=400, help="events a round, about")
    parser.add_argument("--first", type=int, default=0, help=f"first round, a multiple of {ROUNDS_A_HOUSE}")
    parser.add_argument(
        "--journal", type=Path, help="a line of JSON a round; rounds it holds are not run again"
    )
    options = parser.parse_args(given)
    if options.first % ROUNDS_A_HOUSE or options.first < 0:
        parser.error(f"--first must be a multiple of {ROUNDS_A_HOUSE}: rounds of a house rest on each other")
    return options


def main(given: Sequence[str]) -> int:
    """Run the rounds; the exit status is 1 where a promise did not hold."""
    options = arguments(given)
    configure(Settings(log_level="ERROR"), "faults")  # that servers are away is what a round is about
    console = Console(highlight=False, soft_wrap=True)
    lines = held(options.journal, options.seed)
    first, failed = resume_at(lines, options.first)
    lines = [line for line in lines if options.first <= cast(int, line["round"]) < first]
    left = options.first + options.rounds - first
    if failed:
        console.print(f"the journal holds {failed} rounds with findings", style="red")
    try:
        for outcome in campaign(options.seed, first, left, options.events, lambda _: None):
            failed += bool(outcome.findings)
            _tell(console, outcome)
            lines.append(_line(options.seed, outcome))
            if options.journal:
                with options.journal.open("ab") as journal:
                    journal.write(orjson.dumps(lines[-1], option=orjson.OPT_APPEND_NEWLINE))
    except RetailBrainError as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red", markup=False)
        failed += 1
    for text in summary(lines):
        console.print(text, markup=False)
    if failed:
        console.print(
            f"to run them again: make faults SEED={options.seed} ROUNDS={options.rounds}", markup=False
        )
    return 1 if failed else 0


def _tell(console: Console, outcome: Outcome) -> None:
    plan = outcome.plan
    verdict = f"{len(outcome.findings)} FINDINGS" if outcome.findings else "all holds"
    lines = [
        f"round {plan.number}: {verdict}; {outcome.acknowledged} events acknowledged to {plan.gateway_writers} gateway "
        f"and {plan.topic_writers} topic writers, {outcome.acts} acts to {plan.stewards} stewards ({outcome.refused} "
        f"more refused), {outcome.workers} resolve workers, {outcome.seconds:.0f} s",
        *(f"  {strike}" for strike in plan.strikes),
        *(f"  MISSED {missed}" for missed in outcome.missed),
    ]
    for line in lines:
        console.print(line, markup=False)
    for finding in outcome.findings[:_SHOWN]:
        console.print(f"  FOUND {finding}", style="red", markup=False)
    if len(outcome.findings) > _SHOWN:
        console.print(f"  and {len(outcome.findings) - _SHOWN} more", style="red")


def _line(seed: int, outcome: Outcome) -> Line:
    return {
        "seed": seed,
        "round": outcome.plan.number,
        "events": outcome.plan.events,
        "strikes": [str(s) for s in outcome.plan.strikes],
        "acknowledged": outcome.acknowledged,
        "acts": outcome.acts,
        "refused": outcome.refused,
        "given_up": outcome.given_up,
        "workers": outcome.workers,
        "missed": outcome.missed,
        "seconds": round(outcome.seconds, 1),
        "findings": outcome.findings,
    }


def held(journal: Path | None, seed: int) -> list[Line]:
    """The lines that the journal holds of the campaign `seed`."""
    if journal is None or not journal.exists():
        return []
    lines = [orjson.loads(line) for line in journal.read_bytes().splitlines()]
    return [line for line in lines if line["seed"] == seed]


def resume_at(lines: Iterable[Line], first: int = 0) -> tuple[int, int]:
    """The first round, from `first` on, of the first house that the journal does not hold whole; and how many before it
    have findings. To run those again after a mend, begin another journal."""
    rounds = {cast(int, line["round"]): bool(line["findings"]) for line in lines}
    following = first
    while following in rounds:
        following += 1
    following = following // ROUNDS_A_HOUSE * ROUNDS_A_HOUSE
    return following, sum(rounds[n] for n in range(first, following))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

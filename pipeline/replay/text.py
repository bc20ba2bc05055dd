"""What a replay came to, in words for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from pipeline.codes import EXPLANATIONS, ReasonCode
from pipeline.replay.difference import Counts, Difference, Word
from pipeline.replay.shown import ShownChange, ShownCustomer

WIDTH = 110

_HAPPENS = {
    "merge": "would become one customer",
    "split": "would be split",
    "mixed": "would exchange events",
    "new": "would be new: its events named nobody before",
    "gone": "would be gone: nothing names it any more",
    "changed": "would keep its events, and change in its records or golden values",
}


def told(found: Difference, examples: Sequence[ShownChange], schema: str, note: str | None) -> str:
    """What would change, ending with a line break."""
    lines = [*_numbers(found.counts), *_kept(found), *_words(found.words)]
    for example in examples:
        lines += ["", *_example(example)]
    if more := len(found.changes) + len(found.renewed) - len(examples):
        lines += ["", f"and {more:,} more; --json lists all by ids, --show N shows more"]
    lines += ["", *([*_wrapped(note), ""] if note else []), *_how_to(found, schema)]
    return "\n".join(lines) + "\n"


def told_activation(found: Difference, published: Mapping[str, int], reason: str, note: str | None) -> str:
    """What was put in force, ending with a line break."""
    messages = ", ".join(f"{count:,} on {topic}" for topic, count in published.items() if count)
    lines = [
        *_numbers(found.counts),
        *_kept(found),
        *_words(found.words),
        "",
        f"In force since now, and the shadow is gone. Told: {messages or 'nothing, for nothing changed'}.",
        f'Entries of the merge log name the reason code {ReasonCode.REPROCESSED}, and why: "{reason}".',
        *(["", *_wrapped(note)] if note else []),
    ]
    return "\n".join(lines) + "\n"


def _numbers(counts: Counts) -> Iterator[str]:
    yield f"{counts.customers:,} customers now, {counts.customers_then:,} by today's logic"
    for count, what in (
        (counts.merged, "come together with others"),
        (counts.split, "are split"),
        (counts.mixed, "exchange events with others"),
        (counts.new, "are new"),
        (counts.gone, "are gone"),
        (counts.changed, "change in their records or golden values only"),
        (counts.untouched, "stay as they are"),
    ):
        yield f"{count:>12,} {what}"
    for count, what in (
        (counts.events_moved, "come to another customer"),
        (counts.events_gained, "come to name somebody"),
        (counts.events_lost, "come to name nobody"),
    ):
        if count:
            yield f"{count:>12,} events {what}"


def _kept(found: Difference) -> Iterator[str]:
    if found.before:
        yield f"{found.before:>12,} events are older than asked for and keep their records"
    for reason, count in found.kept:
        yield f"{count:>12,} events could not be normalized anew and keep their records: {reason}"
        yield from _wrapped(EXPLANATIONS[ReasonCode(reason)], " " * 13)


def _words(words: Sequence[Word]) -> Iterator[str]:
    """What stewards said, and is not what it was."""
    for word in words:
        said = word.followed
        kind = said.constraint.kind.value.replace("_", "-")
        if said.lost:
            yield from _wrapped(
                f"{kind} {word.constraint_id}: no event speaks any more of {_listed(said.lost)}, which it names."
            )
        if said.one:
            yield from _wrapped(
                f"{kind} {word.constraint_id}: what it parts is one record by today's logic, {_listed(said.one)}."
            )
        if not said.holds:
            yield from _wrapped(f"{kind} {word.constraint_id} would say nothing any more: look at it again.")


def _listed(records: frozenset[bytes]) -> str:
    return ", ".join(map(str, sorted(records)))


def _example(example: ShownChange) -> Iterator[str]:
    yield f"{_names(example)} {_HAPPENS[example.kind]}"
    for name, customers in (("now", example.before), ("then", example.after)):
        for customer in customers:
            line = f"  {name:>5}  {_customer(customer)}"
            yield line if len(line) <= WIDTH else f"{line[: WIDTH - 2]} …"


def _names(example: ShownChange) -> str:
    return " and ".join(str(c.profile_id) for c in example.before or example.after)


def _customer(customer: ShownCustomer) -> str:
    values = "  ".join(value for _, value in customer.values)
    return f"{customer.profile_id}  {customer.events:,} event{'' if customer.events == 1 else 's'}  {values}"


def _how_to(found: Difference, schema: str) -> Iterator[str]:
    named = "" if schema == "shadow" else f" --shadow {schema}"
    yield "Nothing was changed. To put just this in force:"
    yield f"  retail-brain replay --activate{named} --reason WHY --plan {found.plan}"
    yield f"To give it up: retail-brain replay --drop{named}"


def _wrapped(text: str, indent: str = "") -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)

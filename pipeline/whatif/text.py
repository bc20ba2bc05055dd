"""A simulation as a text to read in a terminal, at most 110 wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pipeline.identity.difference import ChangeKind
from pipeline.identity.estimate import Agreement
from pipeline.whatif import words
from pipeline.whatif.example import Customer, Evidence, Example
from pipeline.whatif.outcome import Outcome

WIDTH = 110
_SETTINGS_SHOWN = 15


def told(outcome: Outcome) -> str:
    """The outcome as text, ending with a line break."""
    return "\n".join(line.rstrip() for line in _lines(outcome)) + "\n"


def _lines(outcome: Outcome) -> Iterator[str]:
    found = outcome.simulation
    yield from _wrapped(words.headline(outcome))
    yield ""
    yield from _numbers(outcome)
    yield ""
    yield from _wrapped(words.FORMULA)
    yield from _wrapped(words.LIMITS)
    for note in words.notes(outcome):
        yield from _wrapped(f"Note: {note}")
    yield ""
    yield from _settings(outcome)
    for kind in ChangeKind:
        changes, shown = len(found.of_kind(kind)), outcome.examples[kind]
        if changes:
            yield ""
            yield f"{words.HEADINGS[kind]}: {changes:,}"
            for example in shown:
                yield from _example(example, outcome)
            if changes > len(shown):
                yield f"  and {changes - len(shown):,} more; --json lists all, --examples shows more"


def _numbers(outcome: Outcome) -> Iterator[str]:
    found = outcome.simulation
    yield f"{'':34}{'now':>16}{'then':>16}"
    yield _row("customers", f"{len(found.before):,}", f"{len(found.after):,}")
    queue = found.queue
    yield _row("pairs in review", f"{sum(queue.before.values()):,}", f"{sum(queue.after.values()):,}")
    yield f"  {queue.stay:,} stay, {queue.come:,} come, {queue.go:,} go"
    for judged in found.judged:
        by = "" if len(found.judged) == 1 else f" by the {judged.by} one"
        pairs = [judged.before, judged.after]
        yield _row(f"est. precision{by}", *(f"{e.precision:.4f}" for e in pairs))
        yield _row(f"est. recall{by}", *(f"{e.recall:.4f}" for e in pairs))
        yield _row(f"est. F1{by}", *(f"{e.f1:.4f}" for e in pairs))
    if found.agreement[0].decisions:
        yield _row("agrees with stewards", *(f"{a.agreeing} of {a.decisions}" for a in found.agreement))
        yield _row("  95 % interval", *map(_interval, found.agreement))


def _row(name: str, *cells: str) -> str:
    return f"{name:34}" + "".join(f"{cell:>16}" for cell in cells)


def _interval(found: Agreement) -> str:
    low, high = found.interval()
    return f"{low:.2f} to {high:.2f}"


def _settings(outcome: Outcome) -> Iterator[str]:
    yield f"Settings that differ: {len(outcome.settings)}"
    for setting in outcome.settings[:_SETTINGS_SHOWN]:
        yield f"  {setting.of} {setting.path}: {words.value(setting.active)} → {words.value(setting.other)}"
    if len(outcome.settings) > _SETTINGS_SHOWN:
        yield f"  and {len(outcome.settings) - _SETTINGS_SHOWN:,} more"


def _example(example: Example, outcome: Outcome) -> Iterator[str]:
    yield ""
    yield f"  {words.effect(example)}"
    for customer in example.before:
        yield from _customer(customer)
    yield from _wrapped(words.reason(example, outcome), "    ")
    if example.evidence is not None:
        yield from _evidence(example.evidence)


def _customer(customer: Customer) -> Iterator[str]:
    yield f"    customer {customer.name}".rstrip()
    for record in customer.records:
        shown = "  ".join(value for _, value in record.values)
        yield "      " + textwrap.shorten(f"→ {record.after}  {shown}", WIDTH - 6, placeholder=" …")
    if customer.size > len(customer.records):
        yield f"      and {customer.size - len(customer.records)} more records"


def _evidence(evidence: Evidence) -> Iterator[str]:
    yield f"      {'':16}{'':44}{'bits now':>12}{'then':>12}"
    for line in words.compared(evidence):
        yield f"      {line.name:16}{line.remark:44}{line.active:>+12.1f}{line.other:>+12.1f}"


def _wrapped(text: str, indent: str = "") -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)

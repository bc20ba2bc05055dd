"""One change as a card of the page: its customers and their records on the left, the evidence on the right."""

from __future__ import annotations

from html import escape

from pipeline.charts.twofold import Line, twofold
from pipeline.charts.waterfall import Threshold
from pipeline.explain import words as explained
from pipeline.identity.score import bits
from pipeline.whatif import words
from pipeline.whatif.example import Customer, Evidence, Example, Shown
from pipeline.whatif.outcome import Outcome

_COLOURS = 5


def card(example: Example, outcome: Outcome) -> str:
    """The card."""
    customers = "".join(map(_customer, example.before))
    policy = outcome.simulation.other.by.policy
    drawn = ""
    if example.evidence is not None:
        marks = (Threshold("review", bits(policy.review)), Threshold("merge", bits(policy.auto_merge)))
        drawn = _drawn(example.evidence, marks)
    return (
        f'<div class="card"><div class="effect">{escape(words.effect(example))}</div>'
        f'<div class="why">{escape(words.reason(example, outcome))}</div>'
        f'<div class="example"><div>{customers}</div><div>{drawn}</div></div></div>'
    )


def _customer(customer: Customer) -> str:
    called = f"customer <code>{escape(customer.name)}</code>" if customer.name else "a customer"
    rest = customer.size - len(customer.records)
    more = f'<div class="more-of">and {rest} more records</div>' if rest else ""
    records = "".join(map(_record, customer.records))
    return f'<div class="customer"><div class="called">{called}</div>{records}{more}</div>'


def _record(record: Shown) -> str:
    values = "".join(
        f'<span><span class="of">{escape(explained.attribute(attribute))}</span>{escape(value)}</span>'
        for attribute, value in record.values
    )
    decides = " decides" if record.decides else ""
    colour = (record.after - 1) % _COLOURS + 1
    return (
        f'<section class="record{decides}" title="{escape(record.name)}">'
        f'<div class="to to{colour}">{record.after}</div><div class="values">{values}</div></section>'
    )


def _drawn(evidence: Evidence, marks: tuple[Threshold, Threshold]) -> str:
    *lines, _ = words.compared(evidence)
    return twofold(
        "The pair that decides",
        [Line(x.name, x.remark, x.active, x.other) for x in lines],
        "sum",
        ("now", "then"),
        marks,
        unit="bits: each doubles the odds",
    )

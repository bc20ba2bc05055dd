"""The report of a training: one page to look at, and the same in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import TypeAlias

from pipeline.explain import words as identity_words
from pipeline.page import note, table, tiles, whole
from pipeline.training import words
from pipeline.training.pictures import seen_of
from pipeline.training.training import JudgedBy, Training

Json: TypeAlias = "str | int | float | list[Json] | dict[str, Json] | None"


def page(found: Training, pictures: Mapping[str, str], made_at: datetime) -> str:
    """The whole page, the pictures in it."""
    body = "".join(
        (
            "<h1>Training</h1>",
            f'<p class="headline">{escape(words.headline(found))}</p>',
            f'<p class="about">Model <code>{escape(found.learnt.model.version)}</code>, learnt from '
            f"<code>{escape(found.seen.shipped.version)}</code> on, under policy "
            f"<code>{escape(found.seen.policy.version)}</code>. {escape(words.HOW)}</p>",
            tiles(_numbers(found)),
            *map(note, words.notes(found)),
            _calibration(found, pictures),
            "<h2>Match weights</h2><p>What each level of agreement says, sorted within its attribute. "
            "Attributes that no compared pair has on both sides kept their weights and are left out.</p>"
            f'<div class="card">{pictures["weights"]}</div>',
            f"<h2>m and u</h2>{_rates(found)}",
            f"<footer>Made {made_at:%Y-%m-%d %H:%M} UTC by <code>retail-brain train</code>. Names that fewer than ten "
            "records bear are in neither the model nor this page. Nothing was activated.</footer>",
        )
    )
    return whole("Training", body)


def _numbers(found: Training) -> list[tuple[str, str, str]]:
    learnt, seen = found.learnt, found.seen
    sure = found.automatic() if found.bins else None
    return [
        ("records", f"{len(seen.sides):,}", found.material.what),
        ("pairs compared", f"{learnt.compared:,}", f"and {seen.sampled:,} drawn at random"),
        ("one person", f"{learnt.matches:,.0f}", "pairs expected"),
        ("one household", f"{learnt.household_pairs:,.0f}", "pairs expected"),
        (
            "prior: one in",
            _pairs(learnt.model.prior),
            f"pairs of records; before {_pairs(seen.shipped.prior)}",
        ),
        ("labels", f"{len(seen.labels):,}", "pairs by stewards"),
        (
            "kept promise",
            f"{sure.share:.2%}" if sure and sure.pairs else "not known",
            f"of {sure.pairs:,.0f} sure pairs" if sure and sure.pairs else "no truth to judge by",
        ),
    ]


def _pairs(prior: float) -> str:
    """Of how many pairs of records one is one person."""
    return f"{1 + 2.0**-prior:,.0f}"


def _calibration(found: Training, pictures: Mapping[str, str]) -> str:
    scores = f'<div class="card"><h3>Scores of the pairs compared</h3>{pictures["scores"]}</div>'
    if not found.bins:
        return f"<h2>Scores</h2>{note(words.JUDGED[JudgedBy.NOTHING])}{scores}"
    rows = [
        (
            f"{b.low:g} to {b.high:g}",
            f"{b.pairs:,.0f}",
            f"{b.confidence:.4f}",
            f"{b.share:.4f}",
            "{:.4f} to {:.4f}".format(*b.interval()),
        )
        for b in found.bins
        if b.pairs
    ]
    heads = ("confidence", "pairs", "mean", "one person", "95 % interval")
    return (
        f"<h2>Does confidence hold?</h2><p>{escape(words.judgement(found))}</p>"
        f"<p>{escape(words.JUDGED[found.judged_by])}</p>"
        f'<div class="two"><div class="card"><h3>Reliability</h3>{pictures["reliability"]}</div>'
        f"<div>{table(heads, rows)}{scores}</div></div>"
    )


def _rates(found: Training) -> str:
    now, before, seen = found.learnt.model, found.seen.shipped, seen_of(found)
    rows = [
        (
            f"{identity_words.attribute(a)}: {identity_words.level(a, level, both=True)}",
            *(f"{r:.3g}" for r in rates),
            f"{before.rates[a][level].m:.3g}",
            f"{before.rates[a][level].u:.3g}",
        )
        for a in seen
        for level, rates in now.rates[a].items()
    ]
    heads = ("level", "m: one person", "u: strangers", "h: household", "m before", "u before")
    return table(heads, rows)


def numbers(found: Training) -> dict[str, Json]:
    """For machines."""
    learnt, seen = found.learnt, found.seen
    bins: list[Json] = [
        {
            "from": b.low,
            "to": b.high,
            "pairs": b.pairs,
            "confidence": b.confidence,
            "share": b.share,
            "interval": list(b.interval()),
        }
        for b in found.bins
        if b.pairs
    ]
    return {
        "model": learnt.model.version,
        "start": seen.shipped.version,
        "policy": seen.policy.version,
        "records": len(seen.sides),
        "compared": learnt.compared,
        "sampled": seen.sampled,
        "labels": len(seen.labels),
        "matches": round(learnt.matches, 1),
        "household_pairs": round(learnt.household_pairs, 1),
        "prior": learnt.model.prior,
        "household_prior": learnt.model.household_prior,
        "enough": learnt.is_enough,
        "judged_by": found.judged_by.value,
        "reliability": bins,
    }

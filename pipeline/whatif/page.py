"""A simulation as one page to look at: no script, no address outside, light and dark, fit to print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from html import escape

from pipeline.charts.before_after import Both, bars, distribution
from pipeline.codes import EXPLANATIONS
from pipeline.identity.difference import ChangeKind, Cluster
from pipeline.identity.estimate import Agreement, Estimate
from pipeline.page import note, table, tiles, whole
from pipeline.whatif import words
from pipeline.whatif.outcome import Outcome
from pipeline.whatif.page_examples import card

NOW_THEN = ("now", "then")
_SIZES = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 9), (10, 19), (20, None))
_SETTINGS_SHOWN = 60
_REASONS = {code.value: text for code, text in EXPLANATIONS.items()}


def page(outcome: Outcome, made_at: datetime) -> str:
    """The whole page."""
    body = "".join(
        (
            _head(outcome),
            _tiles(outcome),
            *map(note, words.notes(outcome)),
            _pictures(outcome),
            *(_changes(outcome, kind) for kind in ChangeKind),
            _queue(outcome),
            _estimates(outcome),
            _settings(outcome),
            f"<footer>Made {made_at:%Y-%m-%d %H:%M} UTC by <code>retail-brain whatif</code>. Values are masked. "
            "Nothing was written to the store.</footer>",
        )
    )
    return whole("What if", body)


def _head(outcome: Outcome) -> str:
    found = outcome.simulation
    active, other = found.active.by, found.other.by
    changed = [
        f"{what} <code>{escape(one.version)}</code> → <code>{escape(another.version)}</code>"
        for what, one, another in (
            ("policy", active.policy, other.policy),
            ("model", active.model, other.model),
        )
        if one.version != another.version
    ]
    return (
        f'<h1>What if</h1><p class="headline">{escape(words.headline(outcome))}</p>'
        f'<p class="about">{" and ".join(changed) or "The same policy and model"}, over {len(found.records):,} '
        f"identity records of {escape(outcome.source.what)}.</p>"
    )


def _tiles(outcome: Outcome) -> str:
    found = outcome.simulation
    queue, judged = found.queue, found.judged[-1]
    merges, splits = len(found.of_kind(ChangeKind.MERGE)), len(found.of_kind(ChangeKind.SPLIT))
    shown = [
        ("customers", f"{len(found.after):,}", _versus(len(found.before), len(found.after))),
        ("touched", f"{found.touched():,}", "customers of today"),
        ("merges", f"{merges:,}", f"and {len(found.of_kind(ChangeKind.MIXED)):,} exchanges of records"),
        ("splits", f"{splits:,}", f"{sum(c.pairs_parted for c in found.changes):,} pairs torn apart"),
        ("in review", f"{sum(queue.after.values()):,}", f"{queue.come:,} come, {queue.go:,} go"),
        (
            "est. precision",
            f"{judged.after.precision:.2%}",
            _points(judged.before.precision, judged.after.precision),
        ),
        ("est. recall", f"{judged.after.recall:.2%}", _points(judged.before.recall, judged.after.recall)),
    ]
    return tiles(shown)


def _versus(before: int, after: int) -> str:
    return (
        "as many as now" if before == after else f"{after - before:+,} from {before:,}".replace("-", "\u2212")
    )


def _points(before: float, after: float) -> str:
    points = f"{(after - before) * 100:+.2f}".replace("-", "\u2212")
    return "as now" if points in ("+0.00", "\u22120.00") else f"{points} points"


def _pictures(outcome: Outcome) -> str:
    found = outcome.simulation
    judged = found.judged[-1]
    wrong = [e.together - e.true_together for e in (judged.before, judged.after)]
    missed = [e.true_apart for e in (judged.before, judged.after)]
    reviews = [sum(side.values()) for side in (found.queue.before, found.queue.after)]
    rows = [
        _both("customers", "profiles that stand", len(found.before), len(found.after)),
        _both("pairs in review", "questions for a steward", *reviews),
        _both("wrong pairs, expected", "put together, of two people", *wrong),
        _both("missed pairs, expected", "of one person, left apart", *missed),
    ]
    return (
        f'<div class="two"><div class="card"><h3>Before and after</h3>{bars("Before and after", rows, NOW_THEN)}</div>'
        f'<div class="card"><h3>How large customers are</h3>'
        f"{distribution('How large customers are', 'records a customer', _sizes(found.before, found.after), NOW_THEN)}"
        "</div></div>"
    )


def _both(name: str, remark: str, before: float, after: float) -> Both:
    digits = 0 if isinstance(before, int) else 1
    return Both(name, remark, before, after, (f"{before:,.{digits}f}", f"{after:,.{digits}f}"))


def _sizes(before: Sequence[Cluster], after: Sequence[Cluster]) -> list[tuple[str, int, int]]:
    """How many customers have so many records; what neither side has at the upper end is left out."""
    counts = [Counter(map(len, clusters)) for clusters in (before, after)]
    rows = []
    for low, high in _SIZES:
        name = f"{low}+" if high is None else str(low) if low == high else f"{low}–{high}"
        first, second = (
            sum(n for size, n in c.items() if size >= low and (high is None or size <= high)) for c in counts
        )
        rows.append((name, first, second))
    while len(rows) > 3 and rows[-1][1:] == (0, 0):
        rows.pop()
    return rows


def _changes(outcome: Outcome, kind: ChangeKind) -> str:
    count, shown = len(outcome.simulation.of_kind(kind)), outcome.examples[kind]
    if not count:
        return ""
    rest = count - len(shown)
    more = f'<p class="more-of">And {rest:,} more, listed by <code>--json</code>.</p>' if rest else ""
    order = " · the doubtful first" if len(shown) > 1 else ""
    return (
        f'<h2>{words.HEADINGS[kind]} <span class="count">{count:,}{order}</span></h2>'
        f"{''.join(card(example, outcome) for example in shown)}{more}"
    )


def _queue(outcome: Outcome) -> str:
    queue = outcome.simulation.queue
    reasons = sorted(
        {*queue.before, *queue.after}, key=lambda r: -max(queue.before.get(r, 0), queue.after.get(r, 0))
    )
    if not reasons:
        return ""
    rows = [
        (_REASONS.get(r, r), f"{queue.before.get(r, 0):,}", f"{queue.after.get(r, 0):,}") for r in reasons
    ]
    return (
        f"<h2>Review queue</h2>{table(('pairs of customers that wait because', *NOW_THEN), rows)}"
        f'<p class="more-of">{queue.stay:,} stay, {queue.come:,} come, {queue.go:,} go.</p>'
    )


def _estimates(outcome: Outcome) -> str:
    found = outcome.simulation
    rows: list[tuple[str, ...]] = []
    for judged in found.judged:
        by = "" if len(found.judged) == 1 else f", judged by the {judged.by} configuration"
        for name, value in (("precision", _precision), ("recall", _recall), ("F1", _f1)):
            rows.append((f"{name}{by}", f"{value(judged.before):.4f}", f"{value(judged.after):.4f}"))
    if found.agreement[0].decisions:
        rows.append(("agreement with stewards, 95 % interval", *map(_agreed, found.agreement)))
    else:
        rows.append(("agreement with stewards", "none decided", "none decided"))
    return (
        f"<h2>How right it is likely to be</h2>{table(('estimate', *NOW_THEN), rows)}"
        f"<p>{escape(words.FORMULA)}</p><p>{escape(words.LIMITS)}</p>"
    )


def _precision(found: Estimate) -> float:
    return found.precision


def _recall(found: Estimate) -> float:
    return found.recall


def _f1(found: Estimate) -> float:
    return found.f1


def _agreed(found: Agreement) -> str:
    low, high = found.interval()
    return f"{found.agreeing} of {found.decisions} ({low:.2f} to {high:.2f})"


def _settings(outcome: Outcome) -> str:
    shown = outcome.settings[:_SETTINGS_SHOWN]
    rows = [
        (f"{s.of} {s.path}{'' if s.is_simulated else ' *'}", words.value(s.active), words.value(s.other))
        for s in shown
    ]
    rest = len(outcome.settings) - len(shown)
    more = f'<p class="more-of">And {rest:,} more.</p>' if rest else ""
    star = "" if all(s.is_simulated for s in shown) else "* works on events still to come; not simulated."
    return (
        f'<h2>Settings that differ <span class="count">{len(outcome.settings):,}</span></h2>'
        f"{table(('setting', *NOW_THEN), rows)}{more}<p class='more-of'>{star}</p>"
    )

"""An explanation as one text that a steward reads without a glossary. Plain: no colours, at most 110 wide."""

from __future__ import annotations

import textwrap
from collections.abc import Container, Iterable, Iterator, Sequence

from pipeline.charts.waterfall import signed
from pipeline.codes import EXPLANATIONS
from pipeline.explain import words
from pipeline.explain.report import PairReport, ProfileReport, Report, Subject
from pipeline.explain.tale import told_story
from pipeline.identity.explain.explanation import (
    AttributeEvidence,
    Direction,
    Link,
    Origin,
    SidesExplanation,
    Verdict,
    WeakestLink,
    Weighing,
    WouldChange,
)
from pipeline.identity.score import bits

WIDTH = 110
_NAME, _VALUE, _LEVEL = 15, 23, 36

_ORIGIN = {
    Origin.CONFIRMED: "These are the numbers stored with the decision; computed again by the same versions they are "
    "the same to the last bit.",
    Origin.DIFFERS: "These are the numbers stored with the decision. Computed again they differ: what is known of the "
    "records has grown since (purchases, sharing), or the program compares otherwise now.",
    Origin.COMPUTED: "No evidence of these two is stored (never compared, or too weak to be kept): computed now, by "
    "those versions.",
}
_TOLD_BY = {
    "merge_log": "those that merged them",
    "review": "those that put them into the review queue",
    "evidence": "those that compared them",
    "in_force": "those in force when the later of the two arrived",
}


def told(report: Report) -> str:
    """The report as text, ending with a line break."""
    lines = _pair(report) if isinstance(report, PairReport) else _profile(report)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _pair(report: PairReport) -> Iterator[str]:
    found = report.explanation
    yield from _heading(f"Verdict: {words.VERDICT[found.verdict]}.")
    yield from _wrapped(f"{EXPLANATIONS[found.reason]} {_stands(report)}")
    yield ""
    yield f"A  {_subject(report.left)}"
    yield f"B  {_subject(report.right)}"
    yield from _wrapped(
        f"By model {found.best.model_version} and policy {found.best.policy_version}, "
        f"{_TOLD_BY[report.decided_by]}."
    )
    yield ""
    yield from _sides(found)
    yield from _met(report)
    if report.chain:
        yield ""
        yield "They hang together in one profile by this chain, strongest possible:"
        yield from (f"  {line}" for link in report.chain for line in link_lines(link))
    if report.decisions:
        yield ""
        yield from _heading("What was decided between them")
        yield from told_story(report.decisions)


def _profile(report: ProfileReport) -> Iterator[str]:
    subject, tree = report.subject, report.tree
    count = len(subject.records)
    yield from _heading(f"Profile {subject.profile_id}: {_counted(count)}")
    if tree.links:
        yield "What holds it together (the strongest links that connect all records, strongest first):"
        yield from (f"  {line}" for link in tree.links for line in link_lines(link))
    else:
        yield "There is nothing to hold together."
    if len(tree.groups) > 1:
        yield from _wrapped(
            f"The records form {len(tree.groups)} groups that no evidence kept at its threshold connects: they were "
            "joined by evidence that has changed since. `retail-brain verify` tells what would be decided now."
        )
    if tree.weakest is not None:
        yield ""
        yield from _heading("The weakest link")
        yield from link_lines(tree.weakest.link)
        yield from _wrapped(_ties(tree.weakest))
    if report.weakest is not None:
        yield ""
        yield from _sides(report.weakest)
    yield ""
    yield from _heading("How it came about")
    yield from told_story(report.story)


def _ties(weakest: WeakestLink) -> str:
    one, other, others = len(weakest.one), len(weakest.other), weakest.others
    tied = f"It ties {_counted(one)} to {_counted(other)}."
    if not others:
        return f"{tied} Its loss alone would part the profile."
    more = f"So do {others} more links" if others > 1 else "So does another link"
    return f"{tied} {more}, none of them stronger: its loss alone would not part the profile."


def _counted(records: int) -> str:
    return f"{records} record{'s' if records > 1 else ''}"


def _subject(subject: Subject) -> str:
    count = len(subject.records)
    if subject.is_record:
        return f"record {subject.asked} (of profile {subject.profile_id})"
    if subject.is_part:
        return f"{_counted(count)} of profile {subject.profile_id}"
    into = "" if subject.asked == subject.profile_id else f", now in {subject.profile_id}"
    return f"profile {subject.asked} ({_counted(count)}{into})"


def _stands(report: PairReport) -> str:
    """Where the two stand now, which may not be what their own evidence says."""
    found, one = report.explanation.verdict, report.left.profile_id == report.right.profile_id
    if one:
        by_others = "" if found is Verdict.MERGE else ", held together by others (the chain below)"
        return f"They stand in one profile{by_others}."
    return f"They stand in two profiles{' all the same' if found is Verdict.MERGE else ''}."


def _sides(found: SidesExplanation) -> Iterator[str]:
    best, wholes = found.best, found.wholes
    single = len(found.left) == len(found.right) == 1
    if not single:
        of = (
            f"{found.pairs:,} pairs"
            if found.compared == found.pairs
            else f"{found.compared:,} of {found.pairs:,}"
        )
        yield f"The two records that agree most, of {of}:"
        yield f"A  {found.best_pair[0]}"
        yield f"B  {found.best_pair[1]}"
    yield from _table(best, _ORIGIN[best.origin])
    if not single and (wholes.weight, wholes.veto) == (best.weight, best.veto):
        yield ""
        yield from _wrapped(
            "Compared as wholes, with all that is known of either, they come to the same sum."
        )
    elif not single:
        yield ""
        yield "Compared as wholes, with all that is known of either:"
        yield from _table(wholes, "")
    yield ""
    yield from _wrapped(
        f"A bit doubles the odds, or halves them. A steward is asked from {signed(bits(found.review))} bits, which is "
        f"{words.percent(found.review)}; one customer it is from {signed(bits(found.auto_merge))} bits, which is "
        f"{words.percent(found.auto_merge)}, of the best pair and of the wholes alike."
    )
    held = {e.attribute for e in wholes.attributes if e.level is not None}
    for would in found.would_change:
        yield ""
        yield from _would(would, found.verdict, held)


def _table(weighing: Weighing, origin: str) -> Iterator[str]:
    yield _row("", "A", "B", "how far they agree", "bits")
    yield _row("to begin with", "", "", "how seldom two records are one person", signed(weighing.prior))
    for evidence in weighing.attributes:
        yield _evidence_row(evidence)
    if signed(weighing.household) != "0.0":
        yield _row("household", "", "", "two of one household can look like this", signed(weighing.household))
    yield " " * (WIDTH - 8) + "-" * 8
    yield _row("sum", "", "", "", signed(weighing.weight))
    yield from _wrapped(
        f"Odds of {words.odds(weighing.weight)}: {words.percent(weighing.confidence)}. {origin}"
    )
    if weighing.veto is not None:
        yield from _wrapped(f"Vetoed whatever the sum: {EXPLANATIONS[weighing.veto]}")


def _evidence_row(evidence: AttributeEvidence) -> str:
    reached = words.level(evidence.attribute, evidence.level, both=bool(evidence.left and evidence.right))
    left, right = (", ".join(side) or "-" for side in (evidence.left, evidence.right))
    number = signed(evidence.bits) if evidence.level is not None else ""
    return _row(words.attribute(evidence.attribute), left, right, reached, number)


def _row(name: str, left: str, right: str, level: str, number: str) -> str:
    cells = ((name, _NAME), (left, _VALUE), (right, _VALUE), (level, _LEVEL + 4))
    return "".join(f"{_cut(cell, width):<{width + 1}}" for cell, width in cells) + f"{number:>5}"


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"


def _would(would: WouldChange, now: Verdict, held: Container[str]) -> Iterator[str]:
    asked = words.DIRECTION[would.direction]
    if would.direction is Direction.APART and now is Verdict.REVIEW:
        asked = "They would be two customers without a question"
    if not would.most_changes:
        yield "What would change it was not looked for: so many records lie on either side."
        return
    if not would.smallest:
        bound = "was found" if would.complete else "was found among those tried"
        yield from _wrapped(f"{asked}: no set of up to {would.most_changes} attributes {bound}.")
        return
    yield f"{asked} if"
    for n, other in enumerate(would.smallest):
        conditions = " and ".join(words.change(c, both=c.attribute in held) for c in other.changes)
        yield from textwrap.wrap(
            f"{conditions}  ({words.percent(other.confidence)}, {words.VERDICT[other.verdict]})",
            WIDTH,
            initial_indent="     or " if n else "        ",
            subsequent_indent="        ",
        )


def _met(report: PairReport) -> Iterator[str]:
    """Whether the best pair is brought together at all, and if not, why."""
    met = report.meeting
    shared, overfull = (", ".join(kinds).replace("_", " ") for kinds in (met.shared, met.overfull))
    worn = f" Too many records share some of these: {overfull}." if overfull else ""
    if report.was_compared:
        said = f"They were brought together by what they share: {shared}.{worn}" if shared else ""
    elif met.candidates:
        said = f"They share match keys ({shared}), so they were compared, and agree too little to be remembered.{worn}"
    elif met.by_others:
        said = (
            f"They were not compared with each other: many records share what they do ({shared}), "
            f"and each is compared with a few of these.{worn}"
        )
    elif shared:
        said = f"They were not compared: the match keys they share ({shared}) are too weak against what differs.{worn}"
    else:
        said = "They were not compared: they share no match key (identifier, name with postcode, ...)."
    if said:
        yield ""
        yield from _wrapped(said)


def link_lines(link: Link) -> Sequence[str]:
    """A link as a line or two: the records, and what speaks for and against it most."""
    if link.weight is None or link.confidence is None:
        return (f"{link.low} = {link.high}  by a steward's word (must-link)",)
    ordered = sorted(link.levels, key=lambda v: -abs(v[2]))[:4]
    reasons = "; ".join(
        f"{words.attribute(a)} {words.level(a, reached, both=True)} {signed(weight)}"
        if a != "household"
        else f"possibly one household {signed(weight)}"
        for a, reached, weight in ordered
    )
    first = f"{link.low} - {link.high}  {signed(link.weight)} bits, {words.percent(link.confidence)}"
    return (first, *textwrap.wrap(reasons, WIDTH - 6, initial_indent="    ", subsequent_indent="    "))


def _heading(words_: str) -> Sequence[str]:
    return (words_, "=" * len(words_))


def _wrapped(said: str) -> Iterable[str]:
    return textwrap.wrap(said.strip(), WIDTH, break_on_hyphens=False)

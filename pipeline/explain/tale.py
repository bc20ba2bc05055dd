"""The story of a profile in words, a line or two a step."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from pipeline.charts.waterfall import signed
from pipeline.codes import AUTOMATIC, EXPLANATIONS, ReasonCode
from pipeline.explain import words
from pipeline.identity.explain.explanation import Link, StepKind, StoryStep

_WIDTH = 110
_INDENT = " " * 21


def told_story(steps: Sequence[StoryStep]) -> Iterator[str]:
    """One step after the other, oldest first, times in UTC."""
    for step in steps:
        lead = f"{step.at:%Y-%m-%d %H:%M:%S}  "
        yield from textwrap.wrap(
            _step(step), _WIDTH, initial_indent=lead, subsequent_indent=_INDENT, break_on_hyphens=False
        )


def _step(step: StoryStep) -> str:
    records = ", ".join(str(r) for r in step.records[:3])
    more = f" and {len(step.records) - 3} more" if len(step.records) > 3 else ""
    match step.kind:
        case StepKind.CREATED:
            said = f"Record {records} came from {step.actor} and founded a profile."
        case StepKind.LINKED:
            said = f"Record {records} came from {step.actor} and joined{_for(step)}."
        case StepKind.MERGED:
            undone = " It was rolled back later." if step.undone else ""
            said = (
                f"Profile {step.source} was merged into {step.target} by {step.actor}{_for(step)}."
                f"{_given(step)}{undone}"
            )
        case StepKind.SPLIT:
            said = f"{records}{more} left {step.source} for {step.target} by {step.actor}{_reason(step)}"
        case StepKind.ROLLED_BACK:
            said = (
                f"A merge was undone by {step.actor}: {records}{more} went back from {step.source} to {step.target}."
                f"{_given(step)}"
            )
    return f"{said}{_versions(step)}"


def _for(step: StoryStep) -> str:
    if not step.evidence:
        return ""
    best = step.evidence[0]
    if best.weight is None or best.confidence is None:
        return ", by a steward's word"
    return f" on {_strongest(best)} ({signed(best.weight)} bits in sum, {words.percent(best.confidence)})"


def _strongest(link: Link) -> str:
    speaking = sorted((v for v in link.levels if v[2] > 0), key=lambda v: -v[2])[:2]
    return " and ".join(
        f"{words.attribute(a)} {words.level(a, level, both=True)}" for a, level, _ in speaking
    )


def _given(step: StoryStep) -> str:
    """The reason that a person gave, or what a code says."""
    told = step.reasons[0] if step.reasons else AUTOMATIC
    if told in set(ReasonCode):
        return f" {EXPLANATIONS[ReasonCode(told)]}"
    return "" if told == AUTOMATIC else f' Reason given: "{told}".'


def _reason(step: StoryStep) -> str:
    """Why records were split off, which the pipeline says by a code."""
    if not step.reasons:
        return "."
    code = step.reasons[0]
    return f": {EXPLANATIONS[ReasonCode(code)]}" if code in set(ReasonCode) else f': "{code}".'


def _versions(step: StoryStep) -> str:
    return f" [{step.model_version}, {step.policy_version}]" if step.model_version else ""

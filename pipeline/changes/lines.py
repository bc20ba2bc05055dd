"""Changes as lines for people: what was decided, of whom, and by which evidence. Ids and weights, no personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NotRequired, TypedDict, cast

import orjson

from pipeline.explain.words import ATTRIBUTE

_WORD = 9
_MOST_LEVELS = 5


class Told(TypedDict):
    """The JSON of a change, as far as a line needs it."""

    type: str
    timestamp: str
    profile_id: str | None
    version: int | None
    data: Mapping[str, object] | None
    problem: NotRequired[str]


def line(change: Told) -> str:
    """`20:51:03.123  merged     01a2… <- 01b3…  0.97  e-mail +9.2, surname +6.1`; times are local."""
    at = datetime.fromisoformat(change["timestamp"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
    word, said = _said(change["type"], change, change["data"] or {})
    return f"{at}  {word:{_WORD}}  {said}".rstrip()


def _said(kind: str, change: Told, data: Mapping[str, object]) -> tuple[str, str]:
    family, _, what = kind.partition(".")
    if family == "event":
        reasons = ", ".join(cast(Sequence[str], data["reasons"]))
        source = f"{data['source']} {data['event_type']}"
        return str(data["decision"]), f"{change['profile_id']} v{change['version']}  {source}  {reasons}"
    if family == "identity":
        pair = f"{change['profile_id']} {'<-' if what == 'merged' else '->'} {data['source_profile_id']}"
        return what.replace("rolled_back", "undone"), f"{pair}{_score(data)}{_evidence(data)}"
    if family == "review":
        one, other = data["profile_id"], data["other_profile_id"]
        asked = f"{one} in parts?" if data["kind"] == "split" else f"{one} and {other}?"
        word = "review" if what == "pending" else what
        return word, f"{asked}{_score(data)}  {data['reason']}{_evidence(data)}"
    if family == "profile":
        more = f"into {data['merged_into']}" if data.get("merged_into") else str(data.get("change") or "")
        version = "" if change["version"] is None else f" v{change['version']}"
        return what, f"{change['profile_id']}{version}  {more}"
    return kind, change.get("problem", "")


def _score(data: Mapping[str, object]) -> str:
    score = cast(float | None, data["confidence_score"])
    return "" if score is None else f"  {score:.2f}"


def _evidence(data: Mapping[str, object]) -> str:
    """What speaks loudest in the strongest piece of evidence, in bits."""
    edges = orjson.loads(cast(str, data["scoring_details"])).get("evidence", ())
    if not edges:
        return ""
    levels = max(edges, key=lambda edge: edge["weight"])["levels"]
    loudest = sorted((level for level in levels if round(level[2], 1)), key=lambda level: -abs(level[2]))
    return "  " + ", ".join(f"{ATTRIBUTE.get(a, a)} {bits:+.1f}" for a, _, bits in loudest[:_MOST_LEVELS])

"""A steward's word stands: what was acknowledged is there once, and no profile contradicts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from faults.finding import Finding, FindingKind
from faults.state import ProfileState
from pipeline.store.database import Transaction


class ActKind(StrEnum):
    """What a steward does; of an answer, the path of its request."""

    APPROVE = "approve"
    REJECT = "reject"
    ROLLBACK = "rollback"
    REVOKE = "revoke"


_REVOKED = "revoked"
"""The status of a review whose answer was taken back."""
_ANSWERED = {ActKind.APPROVE: "approved", ActKind.REJECT: "rejected"}


@dataclass(frozen=True, slots=True)
class Act:
    """An act that a steward was told is done, on a review, a merge log entry or a constraint, for a `reason` that no
    other has.

    `logged` are the merge log entries that the answer named.
    """

    kind: ActKind
    subject: str
    reason: str
    logged: tuple[str, ...]

    def __str__(self) -> str:
        """As a finding names it."""
        return f"{self.kind} {self.subject} ({self.reason})"


class Said(NamedTuple):
    """A constraint. `review` is the one it answers."""

    kind: str
    left: frozenset[str]
    right: frozenset[str]
    reason: str
    review: str | None
    is_revoked: bool = False


class Logged(NamedTuple):
    """A merge log entry."""

    entry: str
    reason: str
    undone_by: str | None


def said(tx: Transaction) -> list[Said]:
    """Every constraint, those that were revoked among them."""
    return [Said(k, frozenset(a), frozenset(b), *rest) for k, a, b, *rest in tx.rows("faults_constraints")]


def act_findings(tx: Transaction, acts: Collection[Act], words: Sequence[Said]) -> Iterator[Finding]:
    """Acts that are not there as acknowledged, and words that are there twice, acknowledged or not."""
    reviews = {review: (kind, status) for review, kind, status in tx.rows("faults_reviews")}
    revoked: dict[str, str] = dict(tx.rows("faults_revoked"))
    log = {entry: Logged(entry, *rest) for entry, *rest in tx.rows("faults_merge_log")}
    for word, count in Counter(w._replace(is_revoked=False) for w in words).items():
        if count > 1:
            yield Finding(FindingKind.ACT_TWICE, f"constraint of {word.reason}", f"{count} alike", "one")
    for act in acts:
        if act.kind is ActKind.ROLLBACK:
            yield from _undone(act, words, log.get(act.subject))
        elif act.kind is ActKind.REVOKE:
            why = revoked.get(act.subject)
            if why != act.reason:
                yield Finding(FindingKind.ACT_LOST, str(act), f"revoked: {why}", f"revoked: {act.reason}")
        else:
            yield from _answered(act, words, reviews.get(act.subject))
        yield from _logged(act, log)


def _answered(act: Act, words: Sequence[Said], review: tuple[str, str] | None) -> Iterator[Finding]:
    kind, status = review or ("no", "review")
    if status not in (_ANSWERED[act.kind], _REVOKED):
        yield Finding(FindingKind.ACT_LOST, str(act), f"{kind} {status}", _ANSWERED[act.kind])
    expected = "must_link" if (kind == "merge") == (act.kind is ActKind.APPROVE) else "cannot_link"
    mine = [word for word in words if word.review == act.subject]
    put = sorted(word.kind for word in mine)
    if set(put) != {expected}:
        yield Finding(FindingKind.ACT_LOST, str(act), f"constraints {put}", f"{expected} alone")
    if {word.is_revoked for word in mine} != {status == _REVOKED}:
        seen = f"{kind} {status}, {sum(word.is_revoked for word in mine)} of {len(mine)} constraints revoked"
        yield Finding(FindingKind.ACT_LOST, str(act), seen, "all of them if the review is, else none")


def _undone(act: Act, words: Sequence[Said], merge: Logged | None) -> Iterator[Finding]:
    by = merge.undone_by if merge else None
    if by not in act.logged:
        yield Finding(FindingKind.ACT_LOST, str(act), f"undone by {by}", f"undone by {act.logged}")
    put = sorted(word.kind for word in words if word.reason == act.reason)
    if put != ["cannot_link"]:
        kind = FindingKind.ACT_TWICE if len(put) > 1 else FindingKind.ACT_LOST
        yield Finding(kind, str(act), f"constraints {put}", "one cannot_link")


def _logged(act: Act, log: Mapping[str, Logged]) -> Iterator[Finding]:
    there = {entry for entry, logged in log.items() if logged.reason == act.reason}
    if missing := set(act.logged) - there:
        yield Finding(FindingKind.ACT_LOST, str(act), "not in the merge log", " ".join(sorted(missing)))
    # an unmerge names one entry of those it made
    if (surplus := there - set(act.logged)) and act.kind is not ActKind.ROLLBACK:
        yield Finding(
            FindingKind.ACT_TWICE, str(act), f"logged too: {' '.join(sorted(surplus))}", "nothing more"
        )


def contradictions(words: Sequence[Said], profiles: Mapping[str, ProfileState]) -> Iterator[Finding]:
    """Profiles that hold records of both sides of a cannot-link; and records of a must-link in two profiles that no
    cannot-link parts, which outweighs it. Of what was revoked neither is true any more."""
    words = [word for word in words if not word.is_revoked]
    home = {record: profile for profile, state in profiles.items() for record in state.record_ids}
    parted: set[frozenset[str]] = set()
    for word in words:
        if word.kind != "cannot_link":
            continue
        left, right = ({home[r] for r in side if r in home} for side in (word.left, word.right))
        parted |= {frozenset((a, b)) for a in left for b in right}
        for profile in sorted(left & right):
            subject = f"profile {profile}"
            yield Finding(FindingKind.PARTED_TOGETHER, subject, f"both sides of {word.reason}", "one of them")
    for word in words:
        homes = (
            sorted({home[r] for r in word.left | word.right if r in home}) if word.kind == "must_link" else []
        )
        for pair in combinations(homes, 2):
            if frozenset(pair) not in parted:
                seen = f"records of {word.reason}"
                yield Finding(FindingKind.JOINED_APART, f"profiles {' '.join(pair)}", seen, "in one profile")

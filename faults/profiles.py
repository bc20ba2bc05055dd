"""Profiles by themselves: redirects lead to a live one, and exclusive identifiers stand alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from faults.events import Links
from faults.finding import Finding, FindingKind
from faults.state import ProfileState
from pipeline.identity.policy import Policy
from pipeline.store.database import Transaction


def redirect_findings(profiles: Mapping[str, ProfileState], links: Links) -> Iterator[Finding]:
    """Profiles that events were linked to and that are gone, and redirects that lead to no live profile."""
    named = {link.profile for said in links.values() for link in said}
    for profile in sorted(named - profiles.keys()):
        yield Finding(
            FindingKind.PROFILE_MISSING, f"profile {profile}", "events linked to it, no row", "a row"
        )
    for profile in sorted(profiles):
        yield from _followed(profile, profiles)


def _followed(start: str, profiles: Mapping[str, ProfileState]) -> Iterator[Finding]:
    way = [start]
    while True:
        state = profiles.get(way[-1])
        if state is not None and state.status == "active":
            return
        if state is None or state.merged_into is None or state.merged_into in way:
            kind = FindingKind.REDIRECT_CYCLE if state else FindingKind.REDIRECT_NOWHERE
            last = [state.merged_into or "nothing"] if state else []
            yield Finding(kind, f"profile {start}", " -> ".join(way + last), "a live profile at the end")
            return
        way.append(state.merged_into)


def exclusive_findings(tx: Transaction, policy: Policy) -> Iterator[Finding]:
    """Live profiles with several values of an identifier of which the policy says that a customer has one.

    Values that one record carries itself, or that a steward's must-link brought together, count as one: nobody
    but the source and the steward put them on one customer.
    """
    types = [kind.value for kind, rules in policy.identifiers.items() if rules.exclusive]
    rows = tx.rows("faults_exclusive", (types,))
    must = [records for (records,) in tx.rows("faults_must_links")] if rows else []
    for (profile, kind), found in groupby(rows, key=lambda row: (row[0], row[1])):
        parts = _parts([[record, *hashes] for _, _, record, hashes in found], must)
        if len(parts) > 1:
            seen = " | ".join(sorted(parts))
            yield Finding(FindingKind.EXCLUSIVE_TWICE, f"profile {profile}", f"{kind} {seen}", "one value")


def _parts(carriers: Sequence[Sequence[str]], must: Iterable[Sequence[str]]) -> list[str]:
    """The values (hex) that hang together by a record, [record, value, ...], or by a must-link, [record, ...]."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for group in (*carriers, *must):
        for node in group:
            parent[root(node)] = root(group[0])
    parts: defaultdict[str, set[str]] = defaultdict(set)
    for _, *values in carriers:
        parts[root(values[0])].update(values)
    return [" ".join(sorted(values)) for values in parts.values()]

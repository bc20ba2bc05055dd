"""The diff between what stands and what clustering says: the list of decisions, and nothing else is a decision.

Ids are stable: of merged profiles the older keeps its id; of a split one the part that holds its oldest record does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.codes import ReasonCode
from pipeline.identity.ids import Id
from pipeline.identity.model import (
    Created,
    Decision,
    Edge,
    IdentifierType,
    Linked,
    Merged,
    Partition,
    Review,
    Split,
    StandingProfile,
)

_IDENTIFIER_NAMES = frozenset(t.value for t in IdentifierType) | {"national_id"}


def decide(
    standing: Sequence[StandingProfile],
    partition: Partition,
    first_seen: Mapping[Id, datetime],
    new_id: Callable[[], Id],
    claims: Mapping[Id, frozenset[Id]] | None = None,
    because: ReasonCode = ReasonCode.BETTER_CLUSTER,
) -> tuple[Decision, ...]:
    """The decisions that lead from `standing` to `partition`: splits, merges, creations, links, then reviews.

    `first_seen` tells the age of every record in the partition. `claims` maps ids to the records they had before what
    is undone: the cluster that holds the oldest of them is theirs, whether the profile stands or was merged away and
    comes back; a standing profile goes first, so that none loses its id to one that comes back. `because` is why
    records are split off otherwise. `new_id` is called once for each cluster that no id comes to, in the order of their
    oldest records. Empty where nothing changes and nobody needs to be asked.
    """
    diff = _Diff(standing, partition, first_seen, because)
    diff.keep(claims or {})
    diff.revive(claims or {})
    diff.name_the_rest(new_id)
    return (*diff.splits(), *diff.merges(), *diff.arrivals(), *diff.reviews())


@dataclass(frozen=True, slots=True)
class _Age:
    """Orders records by first seen, then id."""

    first_seen: Mapping[Id, datetime]

    def __call__(self, record: Id) -> tuple[datetime, Id]:
        return self.first_seen[record], record


class _Diff:
    """Who owns which cluster, worked out once; the decisions are read off it."""

    def __init__(
        self,
        standing: Sequence[StandingProfile],
        partition: Partition,
        first_seen: Mapping[Id, datetime],
        because: ReasonCode,
    ) -> None:
        self._because = because
        self._age = _Age(first_seen)
        self._clusters = sorted(partition.clusters, key=lambda c: min(map(self._age, c)))
        self._partition = partition
        self._at = {record: n for n, members in enumerate(self._clusters) for record in members}
        self._standing = sorted(standing, key=lambda p: (p.created_at, p.profile_id))
        self._profile_of = {record: p.profile_id for p in standing for record in p.records}
        self._owner: dict[int, Id] = {}
        self._revived: set[Id] = set()

    def _places(self, records: Iterable[Id]) -> list[int]:
        """The clusters that hold these records, the one with the oldest first."""
        return list(
            dict.fromkeys(self._at[r] for r in sorted((r for r in records if r in self._at), key=self._age))
        )

    def keep(self, claims: Mapping[Id, frozenset[Id]]) -> None:
        """The older profile comes first; each keeps the cluster with the oldest record that is its own."""
        claimed = frozenset().union(*claims.values())
        for profile in self._standing:
            own = (
                claims.get(profile.profile_id, frozenset()) & profile.records
                or profile.records - claimed
                or profile.records
            )
            places = self._places(own)
            if places and places[0] not in self._owner:
                self._owner[places[0]] = profile.profile_id

    def revive(self, claims: Mapping[Id, frozenset[Id]]) -> None:
        """Ids that were merged away come back where nobody stands."""
        live = {p.profile_id for p in self._standing}
        for profile_id in sorted(claims.keys() - live):
            places = self._places(claims[profile_id])
            if places and places[0] not in self._owner:
                self._owner[places[0]] = profile_id
                self._revived.add(profile_id)

    def name_the_rest(self, new_id: Callable[[], Id]) -> None:
        """New ids for clusters nobody owns."""
        for n in range(len(self._clusters)):
            if n not in self._owner:
                self._owner[n] = new_id()

    def _moves(self) -> list[tuple[Id, int, frozenset[Id]]]:
        """(profile, cluster, records) for every part of a standing profile that ends under another id."""
        found = []
        for profile in self._standing:
            for n in self._places(profile.records):
                if self._owner[n] != profile.profile_id:
                    found.append((profile.profile_id, n, profile.records & self._clusters[n]))
        return found

    def _goes(self, profile_id: Id) -> bool:
        """True where a standing profile owns nothing any more."""
        return profile_id not in self._owner.values()

    def _is_merge(self, profile_id: Id, n: int) -> bool:
        """A profile that goes merges into the cluster with its oldest record; its other parts split off first."""
        home = next(p for p in self._standing if p.profile_id == profile_id)
        return self._goes(profile_id) and self._places(home.records)[0] == n

    def splits(self) -> list[Split]:
        """Records that leave a profile while it, or the rest of it, goes elsewhere."""
        live = {p.profile_id for p in self._standing}
        found: list[Split] = []
        named: set[Id] = set()
        for source, n, records in self._moves():
            if self._is_merge(source, n):
                continue
            target = self._owner[n]
            is_new = target not in live and target not in named
            named.add(target)
            reason = ReasonCode.ROLLBACK if target in self._revived else self._because
            found.append(Split(source, target, records, is_new, reason))
        return found

    def merges(self) -> list[Merged]:
        """Profiles that go into another one."""
        return [
            Merged(source, self._owner[n], records, self._best_edge(records, self._clusters[n] - records))
            for source, n, records in self._moves()
            if self._is_merge(source, n)
        ]

    def arrivals(self) -> list[Created | Linked]:
        """Records that belonged to nobody: they found a profile or join one."""
        found: list[Created | Linked] = []
        for n, members in enumerate(self._clusters):
            new = frozenset(r for r in members if r not in self._profile_of)
            if not new:
                continue
            if new == members and self._owner[n] not in self._revived:
                found.append(Created(self._owner[n], new))
            else:
                found.append(Linked(self._owner[n], new, self._link_reason(new)))
        return found

    def reviews(self) -> list[Review]:
        """One for each pair of profiles with a refused edge between them."""
        found: dict[tuple[Id, Id], Review] = {}
        for edge, reason in self._partition.refused:
            a, b = self._owner[self._at[edge.low]], self._owner[self._at[edge.high]]
            low, high = (a, b) if a < b else (b, a)
            found.setdefault((low, high), Review(low, high, edge, reason))
        return list(found.values())

    def _best_edge(self, one: frozenset[Id], other: frozenset[Id]) -> Edge | None:
        """The weightiest edge that joined the two; `joined` is in descending weight."""
        for edge in self._partition.joined:
            if (edge.low in one and edge.high in other) or (edge.high in one and edge.low in other):
                return edge
        return None

    def _link_reason(self, new: frozenset[Id]) -> ReasonCode:
        edges = [e for e in self._partition.joined if e.low in new or e.high in new]
        if not edges:
            return ReasonCode.MUST_LINK
        exact = any(
            level.attribute in _IDENTIFIER_NAMES and level.level in ("exact", "role")
            for e in edges
            for level in e.comparison.levels
        )
        return ReasonCode.EXACT_MATCH if exact else ReasonCode.FUZZY_MATCH

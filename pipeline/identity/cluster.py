"""Records into customers: a pure, deterministic function of records, evidence, constraints and policy.

Agglomerative: edges are taken from the weightiest down, and two clusters join only if they agree as wholes. Only an
edge or a must-link joins anything, so the connected components of the two are independent of each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from pipeline.codes import ReasonCode
from pipeline.identity.compare import Side, compare, join, side
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, Edge, IdentityRecord, Partition
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model


def cluster(
    records: Mapping[Id, IdentityRecord],
    edges: Sequence[Edge],
    constraints: Sequence[Constraint],
    model: Model,
    policy: Policy,
) -> Partition:
    """The partition of `records` into customers.

    Must-links join first, unless a cannot-link stands against it. Then edges of at least `policy.auto_merge` join
    the clusters of their ends, in descending weight, ties by record ids, unless a cannot-link or a veto stands between
    them, the clusters as wholes score below the threshold, or the neighbourhood is too large. Edges and constraints
    that name a record not in `records` are left out. Clusters come sorted by their lowest record.
    """
    ids = sorted(records)
    # numbers in the order of the ids stand for the records: they compare and hash far faster
    number = {r: n for n, r in enumerate(ids)}
    forest = _Forest([records[r] for r in ids], _numbered(constraints, number), model, policy)
    musts = (c.left | c.right for c in constraints if c.kind is ConstraintKind.MUST_LINK)
    for members in sorted(sorted(number[r] for r in must if r in number) for must in musts):
        forest.join_all(members)
    ordered = sorted(
        [
            (-e.comparison.weight, number[e.low], number[e.high], e)
            for e in edges
            if e.comparison.confidence >= policy.review
            and e.low in number
            and e.high in number
            and e.low != e.high
        ],
        key=_LINK,
    )
    joined = [
        edge
        for _, a, b, edge in ordered
        if edge.comparison.confidence >= policy.auto_merge and forest.join_by(a, b, edge)
    ]
    clusters = tuple(frozenset([ids[n] for n in members]) for members in forest.clusters())
    return Partition(clusters, tuple(_refused(ordered, forest)), tuple(joined))


_Link = tuple[float, int, int, Edge]
_LINK = itemgetter(0, 1, 2)


def _numbered(
    constraints: Sequence[Constraint], number: Mapping[Id, int]
) -> list[tuple[list[int], list[int]]]:
    """The cannot-links as the numbers of the records on either side."""
    return [
        ([number[r] for r in c.left if r in number], [number[r] for r in c.right if r in number])
        for c in constraints
        if c.kind is ConstraintKind.CANNOT_LINK
    ]


def _refused(ordered: Sequence[_Link], forest: _Forest) -> Iterator[tuple[Edge, ReasonCode]]:
    """The best edge of each pair of clusters that stayed apart, and why. What a steward has parted is settled."""
    seen: set[tuple[int, int]] = set()
    for _, low, high, edge in ordered:
        a, b = forest.root(low), forest.root(high)
        pair = (a, b) if a < b else (b, a)
        if a == b or pair in seen:
            continue
        seen.add(pair)
        reason = forest.reason(a, b, edge)
        if reason is not ReasonCode.CANNOT_LINK:
            yield edge, reason


class _Cluster:
    """A growing cluster: its records, its side, and the constraints its records stand in."""

    __slots__ = ("left", "members", "right", "side", "version")

    def __init__(self, record: int, left: frozenset[int], right: frozenset[int]) -> None:
        self.members = [record]
        self.side: Side | None = None
        self.left, self.right = left, right
        self.version = 0


class _Forest:
    """Union-find over records, with the rules of joining."""

    def __init__(
        self,
        records: Sequence[IdentityRecord],
        cannot_links: Iterable[tuple[Iterable[int], Iterable[int]]],
        model: Model,
        policy: Policy,
    ) -> None:
        self._records, self._model, self._policy = records, model, policy
        self._root = list(range(len(records)))
        left: defaultdict[int, set[int]] = defaultdict(set)
        right: defaultdict[int, set[int]] = defaultdict(set)
        for n, (one, other) in enumerate(cannot_links):
            for record in one:
                left[record].add(n)
            for record in other:
                right[record].add(n)
        self._clusters = {
            r: _Cluster(r, frozenset(left.get(r, ())), frozenset(right.get(r, ()))) for r in self._root
        }
        self._verdicts: dict[tuple[int, int, int, int], ReasonCode | None] = {}

    def root(self, record: int) -> int:
        """The record that stands for the cluster of `record`: its lowest."""
        root = self._root
        while (parent := root[record]) != record:
            root[record] = root[parent]
            record = parent
        return record

    def clusters(self) -> list[list[int]]:
        """The members of every cluster, sorted by their lowest."""
        return [c.members for _, c in sorted(self._clusters.items())]

    def join_all(self, members: Sequence[int]) -> None:
        """Join what a steward said is one person, except across a cannot-link: then on either side of it."""
        apart: list[int] = []
        for member in members:
            b = self.root(member)
            a = next((a for a in map(self.root, apart) if a == b or not self._parted(a, b)), None)
            if a is None:
                apart.append(member)
            elif a != b:
                self._union(a, b)

    def join_by(self, low: int, high: int, edge: Edge) -> bool:
        """Join the clusters of the edge's ends if the rules let them; True if it did."""
        a, b = self.root(low), self.root(high)
        if a == b or self._verdict(a, b, edge) is not None:
            return False
        self._union(a, b)
        return True

    def reason(self, a: int, b: int, edge: Edge) -> ReasonCode:
        """Why the edge did not join the clusters `a` and `b` of its ends; a steward's word before anything else."""
        verdict = self._verdict(a, b, edge)
        if verdict is ReasonCode.CANNOT_LINK or edge.comparison.confidence >= self._policy.auto_merge:
            return verdict or ReasonCode.INCOHERENT_CLUSTER
        return edge.comparison.veto or ReasonCode.SCORE_IN_REVIEW_BAND

    def _parted(self, a: int, b: int) -> bool:
        x, y = self._clusters[a], self._clusters[b]
        return not (x.left.isdisjoint(y.right) and x.right.isdisjoint(y.left))

    def _verdict(self, a: int, b: int, edge: Edge) -> ReasonCode | None:
        """Why two clusters must not join, or None. Remembered until one of them grows."""
        if self._parted(a, b):
            return ReasonCode.CANNOT_LINK
        if edge.comparison.veto is not None:
            return edge.comparison.veto
        x, y = self._clusters[a], self._clusters[b]
        if len(x.members) == len(y.members) == 1:
            return None
        key = (a, x.version, b, y.version) if a < b else (b, y.version, a, x.version)
        if key not in self._verdicts:
            self._verdicts[key] = self._as_wholes(x, y)
        return self._verdicts[key]

    def _as_wholes(self, x: _Cluster, y: _Cluster) -> ReasonCode | None:
        smaller, total = min(len(x.members), len(y.members)), len(x.members) + len(y.members)
        if smaller > 1 and total > self._policy.neighbourhood_limit:
            return ReasonCode.NEIGHBOURHOOD_TOO_LARGE
        together = compare(self._side(x), self._side(y), self._model, self._policy)
        if together.veto is not None:
            return together.veto
        if together.confidence < self._policy.auto_merge:
            return ReasonCode.INCOHERENT_CLUSTER
        return self._over_limit(x, y)

    def _over_limit(self, x: _Cluster, y: _Cluster) -> ReasonCode | None:
        first, second = self._side(x).identifiers, self._side(y).identifiers
        for kind, values in first.items():
            limit = self._policy.identifiers[kind].identifiers_per_customer
            if kind in second and len(values | second[kind]) > limit:
                return ReasonCode.TOO_MANY_FOR_ONE
        return None

    def _side(self, c: _Cluster) -> Side:
        if c.side is None:
            c.side = side(self._records[r] for r in sorted(c.members))
        return c.side

    def _union(self, a: int, b: int) -> None:
        keep, gone = (a, b) if a < b else (b, a)
        x, y = self._clusters[keep], self._clusters.pop(gone)
        # the union of two sides is the side of the union, so growing costs no second look at the records
        x.side = join((self._side(x), self._side(y)))
        x.members.extend(y.members)
        x.left, x.right = x.left | y.left, x.right | y.right
        x.version += 1
        self._root[gone] = keep

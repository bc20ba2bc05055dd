"""Connected components, by union-find with path halving (Tarjan & van Leeuwen 1984)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pipeline.identity.ids import Id


def connected(records: Iterable[Id], links: Iterable[Iterable[Id]]) -> list[frozenset[Id]]:
    """The records in groups that hang together; every link holds together all records it names.

    Records that a link names and `records` does not are passed over. Groups come in the order of `records`.
    """
    parent = {r: r for r in records}

    def root(record: Id) -> Id:
        while parent[record] != record:
            parent[record] = parent[parent[record]]
            record = parent[record]
        return record

    for link in links:
        named = [r for r in link if r in parent]
        for record in named[1:]:
            parent[root(record)] = root(named[0])
    groups: defaultdict[Id, set[Id]] = defaultdict(set)
    for record in parent:
        groups[root(record)].add(record)
    return [frozenset(group) for group in groups.values()]

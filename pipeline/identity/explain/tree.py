"""What holds records together: the maximum spanning tree of their evidence (Kruskal 1956), and its weakest link."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pipeline.identity.explain.explanation import Link, Tree, WeakestLink
from pipeline.identity.graph import connected
from pipeline.identity.ids import Id


def spanning_tree(records: Iterable[Id], links: Iterable[Link]) -> Tree:
    """The strongest links that connect the records; must-links first, of equal ones the one with the lower ids.

    `links` are those that may hold records together: must-links and edges of at least the auto-merge threshold.
    """
    members = sorted(set(records))
    known = frozenset(members)
    able = sorted((link for link in links if link.low in known and link.high in known), key=_strongest)
    root = {r: r for r in members}
    chosen = []
    for link in able:
        a, b = _root(root, link.low), _root(root, link.high)
        if a != b:
            root[max(a, b)] = min(a, b)
            chosen.append(link)
    groups = connected(members, ((link.low, link.high) for link in chosen))
    return Tree(
        tuple(chosen),
        tuple(sorted(tuple(sorted(g)) for g in groups)),
        _weakest(members, chosen, able),
    )


def path(tree: Tree, start: Id, goal: Id) -> tuple[Link, ...]:
    """The strongest chain of links from one record to another; empty where none leads there."""
    at: defaultdict[Id, list[tuple[Id, Link]]] = defaultdict(list)
    for link in tree.links:
        at[link.low].append((link.high, link))
        at[link.high].append((link.low, link))
    waiting: list[tuple[Id, tuple[Link, ...]]] = [(start, ())]
    seen = {start}
    for record, way in waiting:  # grows while it is walked: breadth first
        if record == goal:
            return way
        for other, link in at[record]:
            if other not in seen:
                seen.add(other)
                waiting.append((other, (*way, link)))
    return ()


def _root(root: dict[Id, Id], record: Id) -> Id:
    while root[record] != record:
        record = root[record]
    return record


def _strongest(link: Link) -> tuple[bool, float, Id, Id]:
    return link.weight is not None, -(link.weight or 0.0), link.low, link.high


def _weakest(members: Sequence[Id], chosen: Sequence[Link], able: Sequence[Link]) -> WeakestLink | None:
    if not chosen:
        return None
    link = chosen[-1]
    parts = connected(members, ((other.low, other.high) for other in chosen[:-1]))
    one = next(p for p in parts if link.low in p)
    other = next(p for p in parts if link.high in p)
    crossing = sum((a.low in one and a.high in other) or (a.high in one and a.low in other) for a in able)
    return WeakestLink(link, tuple(sorted(one)), tuple(sorted(other)), crossing - 1)

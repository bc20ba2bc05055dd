"""Who stands for the records that share an identifier, where there are many.

A customer of a thousand records that share an e-mail address makes half a million pairs, which all say the same. So of
the records that hold an identifier a few represent it: for each person whom they name, those with the lowest ids. Two
records that share identifiers are compared where one of them represents one of these, and else by way of the
representatives, whatever else they have in common.

Ids are hashes, so the lowest are a random choice that everybody makes alike (bottom-k sampling: Cohen & Kaplan 2007),
and a new record is among the lowest k of n one time in n / k: the choice is a function of the set of records, seldom
changes, and changes for nobody but the one who makes room.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from heapq import nsmallest

from pipeline.identity.ids import Id


def representatives(named: Iterable[tuple[Id, Hashable]], most: int) -> frozenset[Id]:
    """Of records with whom they name (pipeline/identity/sharing.py) the `most` lowest for each person.

    Who names nobody counts as a person too.
    """
    by_person: defaultdict[Hashable, list[Id]] = defaultdict(list)
    for record, person in named:
        by_person[person].append(record)
    found: set[Id] = set()
    for records in by_person.values():
        found.update(records if len(records) <= most else nsmallest(most, records))
    return frozenset(found)

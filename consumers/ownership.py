"""Who owns what, and how often items are owned together: facts folded into books, without any I/O.

What results is a function of two things only: which items each record bought, and which records each profile holds.
So facts may come again, late, or from any offset. What a profile adds to the counts is kept with the profile, and the
counts move by the difference: whoever writes both at once counts nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from itertools import combinations, product
from typing import NamedTuple, TypedDict, cast

import orjson

_ERASED = 2**53 - 1  # the version of an erased profile: newer than any


class Bought(NamedTuple):
    """`record` bought `items`; when that was linked the profile had this version."""

    profile: str
    version: int
    record: str
    items: frozenset[str]


class State(NamedTuple):
    """The records that a profile holds at a version; none, and where it went, if it was merged."""

    profile: str
    version: int
    records: Sequence[str]
    merged_into: str


class Gone(NamedTuple):
    """A profile was erased."""

    profile: str


Fact = Bought | State | Gone


@dataclass(slots=True)
class Record:
    """What a record bought, as far as it may count, and who holds it: one profile; two or none while it moves."""

    items: set[str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, text: str) -> Record:
        """From what is stored."""
        found = cast(dict[str, list[str]], orjson.loads(text))
        return cls(set(found["items"]), set(found["holders"]))

    def text(self) -> bytes:
        """As it is stored."""
        return orjson.dumps({"items": sorted(self.items), "holders": sorted(self.holders)})


@dataclass(slots=True)
class Profile:
    """A profile's newest state, the items counted for it, and `pending`: records linked by a newer version."""

    version: int = 0
    records: Sequence[str] = ()
    merged_into: str = ""
    owned: set[str] = field(default_factory=set)
    pending: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Profile:
        """From what is stored."""
        profile = cls(**orjson.loads(text))
        profile.owned = set(profile.owned)
        return profile

    @property
    def erased(self) -> bool:
        """Remembered only so that nothing old brings it back."""
        return self.version == _ERASED

    def text(self) -> bytes:
        """As it is stored."""
        return orjson.dumps(
            {
                "version": self.version,
                "records": self.records,
                "merged_into": self.merged_into,
                "owned": sorted(self.owned),
                "pending": self.pending,
            }
        )


class Changes(TypedDict):
    """By how much counts change: owners by item, and owners of both by pair (a < b)."""

    popular: dict[str, int]
    together: dict[str, dict[str, int]]


class Books:
    """The records and profiles that a batch of facts touches; `fetch` gets their stored texts in bulk.

    `most` bounds the items counted a profile. Which ones they are does not depend on the order things came in: those
    with the smallest hashes. A record needs to keep no more than those of its own.
    """

    def __init__(
        self, fetch: Callable[[Sequence[str], Sequence[str]], Sequence[str | None]], most: int
    ) -> None:
        self._fetch = fetch
        self._most = most
        self.profiles: dict[str, Profile] = {}
        self.records: dict[str, Record] = {}
        self.changed_profiles: set[str] = set()
        self.changed_records: set[str] = set()
        self.stale: set[str] = set()  # profiles that own something else than before
        self._came: defaultdict[str, set[str]] = defaultdict(set)
        self._lost: set[str] = set()

    def fold(self, facts: Sequence[Fact]) -> Changes:
        """Make the facts stand here; returns what that makes of the counts."""
        self._open(facts)
        for fact in facts:
            match fact:
                case Bought():
                    self._bought(fact)
                case State():
                    self._state(fact)
                case Gone():
                    self._gone(fact)
        return self._count()

    def _open(self, facts: Sequence[Fact]) -> None:
        """Fetch what the facts name, then what that leads to."""
        named: set[str] = set()
        for fact in facts:
            if isinstance(fact, Bought):
                named.add(fact.record)
            elif isinstance(fact, State):
                named.update(fact.records)
        self._get({fact.profile for fact in facts}, named)
        holders = {holder for record in self.records.values() for holder in record.holders}
        moving = [self.profiles[fact.profile] for fact in facts if not isinstance(fact, Bought)]
        self._get(holders, {record for profile in moving for record in _held(profile)})

    def _get(self, profiles: Iterable[str], records: Iterable[str]) -> None:
        new_profiles = sorted(p for p in profiles if p not in self.profiles)
        new_records = sorted(r for r in records if r not in self.records)
        if not new_profiles and not new_records:
            return
        texts = self._fetch(new_profiles, new_records)
        for profile, text in zip(new_profiles, texts, strict=False):
            self.profiles[profile] = Profile.of(text) if text else Profile()
        for record, text in zip(new_records, texts[len(new_profiles) :], strict=True):
            self.records[record] = Record.of(text) if text else Record()

    def _bought(self, fact: Bought) -> None:
        profile, record = self.profiles[fact.profile], self.records[fact.record]
        if fact.version > profile.version:  # the state that tells of this link is still on its way
            if profile.pending.get(fact.record, 0) < fact.version:
                profile.pending[fact.record] = fact.version
                self.changed_profiles.add(fact.profile)
            self._hold(fact.profile, fact.record)
        elif profile.erased and not record.holders:
            return
        if fact.items <= record.items:
            return
        items = self._sample(record.items | fact.items)
        if items != record.items:
            for holder in record.holders:
                self._came[holder] |= items - record.items
            record.items = items
            self.changed_records.add(fact.record)

    def _state(self, fact: State) -> None:
        profile = self.profiles[fact.profile]
        if fact.version <= profile.version:
            return
        before = _held(profile)
        profile.version, profile.records, profile.merged_into = fact.version, fact.records, fact.merged_into
        profile.pending = {r: since for r, since in profile.pending.items() if since > fact.version}
        self.changed_profiles.add(fact.profile)
        now = _held(profile)
        for record in before - now:
            self._let_go(fact.profile, record)
        for record in now - before:
            self._hold(fact.profile, record)

    def _gone(self, fact: Gone) -> None:
        profile = self.profiles[fact.profile]
        for record in _held(profile):
            self._let_go(fact.profile, record)
            if not self.records[record].holders:
                self.records[record].items = set()
        self.profiles[fact.profile] = Profile(_ERASED, owned=profile.owned)
        self.changed_profiles.add(fact.profile)
        self._lost.add(fact.profile)

    def _hold(self, profile: str, record: str) -> None:
        found = self.records[record]
        if profile not in found.holders:
            found.holders.add(profile)
            self.changed_records.add(record)
            self._came[profile] |= found.items

    def _let_go(self, profile: str, record: str) -> None:
        self.records[record].holders.discard(profile)
        self.changed_records.add(record)
        self._lost.add(profile)

    def _count(self) -> Changes:
        popular: defaultdict[str, int] = defaultdict(int)
        together: defaultdict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._get((), {r for p in self._lost for r in _held(self.profiles[p])})
        for name in self._lost | self._came.keys():
            profile = self.profiles[name]
            before = profile.owned
            if name in self._lost:  # everything anew
                items = set().union(*(self.records[record].items for record in _held(profile)))
            else:
                # the smallest hashes of all its items are among those of what it owned and what came
                items = before | self._came[name]
            after = profile.owned = self._sample(items)
            if after == before:
                continue
            self.changed_profiles.add(name)
            self.stale.add(name)
            kept = before & after
            for by, moved in ((1, after - before), (-1, before - after)):
                for item in moved:
                    popular[item] += by
                for a, b in (*product(moved, kept), *combinations(moved, 2)):
                    if a < b:
                        together[a][b] += by
                    else:
                        together[b][a] += by
        return {"popular": popular, "together": together}

    def _sample(self, items: set[str]) -> set[str]:
        if len(items) <= self._most:
            return items
        return set(
            sorted(items, key=lambda item: sha1(item.encode(), usedforsecurity=False).digest())[: self._most]
        )


def _held(profile: Profile) -> set[str]:
    return {*profile.records, *profile.pending}

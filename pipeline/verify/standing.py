"""What stands, profiles and reviews, against the partition it should be: pure functions of what was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from pipeline.identity.difference import Cluster, difference
from pipeline.identity.ids import Id
from pipeline.identity.model import Partition
from pipeline.identity.policy import Policy
from pipeline.identity.survivorship import golden_record
from pipeline.store.stored import Stored, StoredReview
from pipeline.verify.fault import Fault, FaultKind

DIGITS = 9
"""Decimals to which weights and confidences are compared: beyond them lies the arithmetic of another machine."""


class StandingFaults:
    """Each of its functions looks at one thing. A fault of the partition is not told again by what follows from it."""

    def __init__(self, stored: Stored, partition: Partition, policy: Policy) -> None:
        self._stored, self._partition, self._policy = stored, partition, policy
        self._members = stored.members()

    def all(self) -> Iterator[Fault]:
        """Every fault."""
        yield from self.partition()
        yield from self.profiles()
        yield from self.golden_records()
        yield from self.reviews()

    def partition(self) -> Iterator[Fault]:
        """Records that belong in other profiles: one fault for each group that hangs together."""
        owners = {records: profile for profile, records in self._members.items()}
        for change in difference(list(self._members.values()), self._partition.clusters):
            yield Fault(
                FaultKind.WRONG_PROFILE,
                {"profiles": [str(owners[records]) for records in change.before]},
                {str(owners[records]): _texts(records) for records in change.before},
                [_texts(records) for records in change.after],
            )

    def profiles(self) -> Iterator[Fault]:
        """Life, death and version of each profile."""
        homes = frozenset(self._stored.homes.values())
        for profile, row in self._stored.profiles.items():
            where = {"profile": str(profile)}
            if row.is_merged and profile in homes:
                yield Fault(FaultKind.PROFILE_STATE, where, "merged, with records", "no records")
            if not row.is_merged and profile not in homes:
                yield Fault(
                    FaultKind.PROFILE_STATE, where, "live, without records", "merged, or some records"
                )
            if row.is_merged and not self._leads_on(profile):
                yield Fault(
                    FaultKind.PROFILE_STATE, where, "merged into none that lives", "merged into a live one"
                )
            if row.version <= row.logged:
                yield Fault(FaultKind.PROFILE_VERSION, where, row.version, f"more than {row.logged}")

    def _leads_on(self, profile: Id) -> bool:
        """Whether the chain of merges ends at a live profile."""
        seen: set[Id] = set()
        at: Id | None = profile
        while at is not None and at not in seen:
            seen.add(at)
            row = self._stored.profiles[at]
            if not row.is_merged:
                return True
            at = row.merged_into
        return False

    @cached_property
    def _whole(self) -> frozenset[Id]:
        """The profiles of which every record could be opened."""
        opened = self._stored.records
        return frozenset(self._members) - {p for r, p in self._stored.homes.items() if r not in opened}

    def golden_records(self) -> Iterator[Fault]:
        """The golden record of each profile, of the records that stand in it."""
        stored = self._stored
        for profile in self._whole:
            row = stored.profiles[profile]
            members = [(stored.records[r][0], stored.activity[r]) for r in sorted(self._members[profile])]
            should = golden_record(members, self._policy)
            if (row.golden, row.contested) != (should.winners, should.contested):
                yield Fault(
                    FaultKind.GOLDEN_RECORD,
                    {"profile": str(profile)},
                    _golden(row.golden, row.contested),
                    _golden(should.winners, should.contested),
                )

    def reviews(self) -> Iterator[Fault]:
        """The review queue, as far as the two profiles are what they should be."""
        clusters = frozenset(self._partition.clusters)
        judged = {p for p in self._whole if self._members[p] in clusters}
        should = self._expected_reviews(judged)
        for pair, row in self._stored.reviews.items():
            wanted = should.pop(pair, None)
            gone = any(self._stored.profiles[p].is_merged for p in pair if p in self._stored.profiles)
            if not judged.issuperset(pair) and not gone:
                continue
            if wanted is None:
                yield Fault(FaultKind.REVIEW_SURPLUS, _pair(pair), _review(row))
            elif _review(wanted) != _review(row):
                yield Fault(FaultKind.REVIEW_DIFFERS, _pair(pair), _review(row), _review(wanted))
        for pair, wanted in should.items():
            yield Fault(FaultKind.REVIEW_MISSING, _pair(pair), None, _review(wanted))

    def _expected_reviews(self, judged: set[Id]) -> dict[tuple[Id, Id], StoredReview]:
        home: Mapping[Id, Id] = self._stored.homes
        found: dict[tuple[Id, Id], StoredReview] = {}
        for edge, reason in self._partition.refused:
            low, high = sorted((home[edge.low], home[edge.high]))
            if judged.issuperset((low, high)):
                found[low, high] = StoredReview(edge.low, edge.high, reason, edge.comparison.confidence)
        return found


def _texts(records: Cluster) -> list[str]:
    return [str(r) for r in sorted(records)]


def _pair(profiles: tuple[Id, Id]) -> dict[str, object]:
    return {"profiles": [str(p) for p in profiles]}


def _golden(winners: Mapping[str, Id], contested: bool) -> dict[str, object]:
    return {"winners": {a: str(r) for a, r in sorted(winners.items())}, "contested": contested}


def _review(row: StoredReview) -> dict[str, object]:
    return {
        "records": [str(row.low_record), str(row.high_record)],
        "reason": str(row.reason),
        "confidence": round(row.confidence, DIGITS),
    }

"""Explains records and profiles from what is stored, by the versions that decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, pairwise

from pipeline.circles import circles
from pipeline.errors import BadInput, NotFound
from pipeline.explain import read
from pipeline.explain.report import PairReport, ProfileReport, Subject
from pipeline.identity.explain.explain import explain_sides
from pipeline.identity.explain.explanation import Link, Show, SidesExplanation, WeakestLink
from pipeline.identity.explain.meeting import meeting, shared_keys
from pipeline.identity.explain.story import story
from pipeline.identity.explain.tree import path, spanning_tree
from pipeline.identity.explain.weighing import Configuration
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint, ConstraintKind, IdentityRecord, MatchKeyKind
from pipeline.privacy.keyring import KeyRing
from pipeline.privacy.mask import masked
from pipeline.store.configurations import Configurations
from pipeline.store.database import Database, Transaction
from pipeline.store.identity_store import PostgresIdentityStore, RecordCache
from pipeline.store.reviews import StoredReview

_CACHED_RECORDS = 5_000


def revealed(attribute: str, value: str) -> str:
    """A value as it is: for those who may see it."""
    return value


class Explainer:
    """Answers why, why not, how, and what would change it. One thread, one connection; reads only.

    `show` makes of values what may be seen. Its methods raise NotFound, BadInput, ConfigurationError (a stored version
    that this program cannot read), StoreUnavailable.
    """

    def __init__(self, database: Database, ring: KeyRing, show: Show = masked) -> None:
        self._database = database
        self._show = show
        self._cache = RecordCache(ring, _CACHED_RECORDS)
        self._configurations = Configurations()

    def pair(self, one: Id, other: Id) -> PairReport:
        """Why two records or profiles are one customer, or why not."""
        with self._database.transaction() as tx:
            return self._pair(tx, *_apart(tx, read.subject(tx, one), read.subject(tx, other)))

    def review(self, review: StoredReview) -> PairReport:
        """The same of what a review asks about: two profiles, or the largest part of one and the rest."""
        if not review.parts:
            return self.pair(review.low_profile, review.high_profile)
        largest, *others = review.parts
        left, right = (
            Subject(review.low_profile, False, review.low_profile, tuple(sorted(records)), is_part=True)
            for records in (largest, chain.from_iterable(others))
        )
        with self._database.transaction() as tx:
            return self._pair(tx, left, right)

    def _pair(self, tx: Transaction, left: Subject, right: Subject) -> PairReport:
        kept = _across(read.evidence(tx, (*left.records, *right.records)), left, right)
        profiles = {left.asked, right.asked, left.profile_id, right.profile_id}
        log = read.log_of(tx, profiles)
        by, told_by = self._configuration(tx, read.versions(tx, left, right, log, kept))
        records = self._contents(tx, (*left.records, *right.records))
        mine, others = _known(records, left), _known(records, right)
        store = PostgresIdentityStore(tx, self._cache)
        constraints = store.constraints((*left.records, *right.records))
        found = explain_sides(mine, others, constraints, by, self._show, kept)
        first, second = found.best_pair
        common = shared_keys(records[first], records[second], store.secret)
        overfull = store.overfull_among([key.key for key in common])
        identifiers = {key.key for key in common if key.kind is MatchKeyKind.IDENTIFIER} - overfull
        seated = circles(identifiers, store, by.policy)
        return PairReport(
            left=left,
            right=right,
            decided_by=told_by,
            decisions=story((), read.between(log, left, right), ()),
            explanation=found,
            chain=self._chain(tx, left, right, first, second, constraints, by),
            meeting=meeting(records[first], records[second], store.secret, overfull, seated),
            was_compared=bool(kept),
        )

    def profile(self, asked: Id) -> ProfileReport:
        """Why the records of a profile are one customer, and how that came about; of a record, its profile."""
        with self._database.transaction() as tx:
            found = read.subject(tx, asked)
            subject = replace(found, records=read.members(tx, found.profile_id))
            log = read.whole_log(tx, subject.profile_id)
            everyone = {*subject.records, *(r for e in log for r in (*e.records, *e.before))}
            kept = read.evidence(tx, everyone)
            constraints = PostgresIdentityStore(tx, self._cache).constraints(subject.records)
            holding = self._holding(tx, kept, subject.records, constraints)
            tree = spanning_tree(subject.records, holding)
            weakest = self._weakest(tx, subject, tree.weakest, constraints, kept)
            told = story(read.arrivals(tx, everyone), log, read.links(kept))
            return ProfileReport(subject, tree, weakest, told)

    def _weakest(
        self,
        tx: Transaction,
        subject: Subject,
        weakest: WeakestLink | None,
        constraints: Sequence[Constraint],
        kept: Sequence[read.Kept],
    ) -> SidesExplanation | None:
        """The two parts that the weakest link holds together; None where a steward's word does, or there is no link."""
        if weakest is None or weakest.link.weight is None:
            return None
        link = weakest.link
        by, _ = self._configuration(tx, read.Versions(link.model_version, link.policy_version, "evidence"))
        left, right = (replace(subject, records=part) for part in (weakest.one, weakest.other))
        records = self._contents(tx, subject.records)
        mine, others = _known(records, left), _known(records, right)
        return explain_sides(mine, others, constraints, by, self._show, _across(kept, left, right))

    def _configuration(self, tx: Transaction, versions: read.Versions) -> tuple[Configuration, str]:
        model = self._configurations.model(tx, versions.model)
        return Configuration(model, self._configurations.policy(tx, versions.policy)), versions.told_by

    def _contents(self, tx: Transaction, records: Sequence[Id]) -> dict[Id, IdentityRecord]:
        return PostgresIdentityStore(tx, self._cache).contents(records)

    def _chain(
        self,
        tx: Transaction,
        left: Subject,
        right: Subject,
        first: Id,
        second: Id,
        constraints: Sequence[Constraint],
        by: Configuration,
    ) -> tuple[Link, ...]:
        """The strongest chain between the best pair, where both stand in one profile."""
        if left.profile_id != right.profile_id:
            return ()
        everyone = read.members(tx, left.profile_id)
        tree = spanning_tree(everyone, self._holding(tx, read.evidence(tx, everyone), everyone, constraints))
        return path(tree, first, second)

    def _holding(
        self,
        tx: Transaction,
        kept: Sequence[read.Kept],
        records: Sequence[Id],
        constraints: Sequence[Constraint],
    ) -> list[Link]:
        """What may hold records together: must-links, and evidence that reached the threshold of its own policy."""
        found = [
            link
            for link in read.links(kept)
            if link.confidence is not None
            and link.confidence >= self._configurations.policy(tx, link.policy_version).auto_merge
        ]
        for constraint in constraints:
            if constraint.kind is ConstraintKind.MUST_LINK:
                named = sorted((constraint.left | constraint.right) & frozenset(records))
                found += [Link(low, high, None, None) for low, high in pairwise(named)]
        return found


def _apart(tx: Transaction, left: Subject, right: Subject) -> tuple[Subject, Subject]:
    """The two without a record in common: of a profile and a part of it, the part and the rest."""
    if left.asked == right.asked:
        raise BadInput("with", "it is the same; name two records or profiles")
    mine, others = frozenset(left.records), frozenset(right.records)
    if mine & others and mine >= others:
        left = replace(left, records=tuple(sorted(mine - others)))
    elif mine & others:
        right = replace(right, records=tuple(sorted(others - mine)))
    if not left.records or not right.records:
        raise BadInput("with", "one of the two consists of the other; name two records or profiles")
    return left, right


def _across(kept: Sequence[read.Kept], left: Subject, right: Subject) -> list[read.Kept]:
    mine, others = frozenset(left.records), frozenset(right.records)
    return [
        k
        for k in kept
        if (k[0].low in mine) != (k[0].high in mine) and {k[0].low, k[0].high} <= mine | others
    ]


def _known(records: dict[Id, IdentityRecord], subject: Subject) -> list[IdentityRecord]:
    """The records of a subject that can be opened. Raises NotFound where none can: its keys were destroyed."""
    found = [records[r] for r in subject.records if r in records]
    if not found:
        raise NotFound(f"no record of {subject.asked} can be opened: it was forgotten")
    return found

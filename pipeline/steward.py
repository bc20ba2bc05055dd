"""What a steward's acts share: a neighbourhood is decided afresh in one transaction, and whatever follows is told.

Unmerging (pipeline/unmerge), joining (pipeline/joining.py), answers to reviews (pipeline/answer.py) and taking any of
these words back (pipeline/revoking.py) differ in the constraints they put or revoke, and in what they make sure of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from pipeline.announce import Announcer, versions_of
from pipeline.audit.decided import tell_decided
from pipeline.errors import TransactionConflict
from pipeline.identity.ids import Id
from pipeline.identity.model import Constraint
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.settle import Settlement, settle
from pipeline.ids import new_id
from pipeline.matching import NOBODY_GONE, Found, gather
from pipeline.ports import IdentityStore
from pipeline.privacy.keyring import KeyRing
from pipeline.reasons import must_say_why
from pipeline.store.activations import keep_out, stand_alone
from pipeline.store.configurations import register
from pipeline.store.database import Database, Transaction
from pipeline.store.identity_store import PostgresIdentityStore, RecordCache
from pipeline.store.identity_writer import Author, IdentityWriter, LoggedMerge
from pipeline.store.review_writer import ReviewChange, ReviewWriter
from pipeline.store.steward_actions import UNTOLD, Entry, Occasion, write_entry
from schemas.codec import Codec

_ATTEMPTS = 5
_CACHED_RECORDS = 10_000

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Stewardship:
    """What it takes to act on a steward's word."""

    database: Database
    ring: KeyRing
    codec: Codec
    model: Model
    policy: Policy

    def act(
        self,
        action: Callable[[Act], Outcome],
        actor: str,
        reason: str | None,
        now: datetime,
        *,
        rehearse: bool = False,
        occasion: Occasion = UNTOLD,
        alone: bool = False,
    ) -> Outcome:
        """Run the action in a transaction, again where it lost a race; take all of it back if it is to `rehearse`.

        `reason` None: nobody asked for it, or need say why. The `occasion` is told in the audit log. `alone`: nobody
        else decides until it ends.

        Raises BadInput (a blank reason), what the action does, StoreUnavailable, TransactionConflict (the neighbourhood
        kept moving under several attempts).
        """
        if reason is not None:
            must_say_why(reason)
        author = Author(actor, reason, self.model.version, self.policy.version, now, new_id)
        transaction = self.database.rehearsal if rehearse else self.database.transaction
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with transaction() as tx:
                    stand_alone(tx) if alone else keep_out(tx)
                    register(tx, self.model, self.policy, now)
                    return action(Act(self, tx, author, occasion))
            except TransactionConflict:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class Carried:
    """What carrying out an act wrote into the merge log, and which reviews came, changed or went."""

    logged: tuple[LoggedMerge, ...]
    reviews: tuple[ReviewChange, ...]


class Deciding(Protocol):
    """What an act decides with: put constraints, `gather`, `settle`, in this order."""

    @property
    def store(self) -> IdentityStore:
        """What stands, and locks."""

    def constrain(self, constraint: Constraint, review_id: Id | None = None) -> None:
        """Put a constraint; `review_id` is the review it answers."""

    def heed(self, constraints: Iterable[Constraint]) -> None:
        """Constraints that came, changed or went in this transaction otherwise."""

    def gather(self, profiles: frozenset[Id]) -> Found:
        """Lock and load what deciding these profiles rests on. Raises TransactionConflict where it moved meanwhile."""

    def settle(
        self,
        found: Found,
        claims: Mapping[Id, frozenset[Id]] | None = None,
        release: frozenset[Id] = frozenset(),
        hold: frozenset[Id] = frozenset(),
    ) -> Settlement:
        """Decide it afresh; `claims`, `release` and `hold` are those of pipeline/identity/settle.py."""


def homes(store: IdentityStore, records: Collection[Id]) -> dict[Id, Id]:
    """The profile that each of the records stands in."""
    return {r: s.profile_id for r, s in store.standing(records).items()} if records else {}


class Act:
    """One act inside its transaction: what it is decided with (`Deciding`), and at the end `carry_out`."""

    def __init__(self, by: Stewardship, tx: Transaction, author: Author, occasion: Occasion = UNTOLD) -> None:
        self.tx = tx
        self.store = PostgresIdentityStore(tx, RecordCache(by.ring, _CACHED_RECORDS))
        self.reviews = ReviewWriter(tx, author)
        self._by, self._author, self._occasion = by, author, occasion
        self._put: list[Constraint] = []

    @classmethod
    def reading(cls, by: Stewardship, tx: Transaction) -> Act:
        """To look at what stands, by nobody and without a trace."""
        author = Author("", None, by.model.version, by.policy.version, datetime.now(UTC), new_id)
        return cls(by, tx, author)

    @property
    def policy(self) -> Policy:
        """What is decided by."""
        return self._by.policy

    def constrain(self, constraint: Constraint, review_id: Id | None = None) -> None:
        """Put a constraint; `review_id` is the review it answers."""
        self._put.append(constraint)
        self.tx.run(
            "insert_constraint",
            {
                "constraint_id": self._author.new_id(),
                "kind": constraint.kind,
                "left": sorted(constraint.left),
                "right": sorted(constraint.right),
                "actor": self._author.actor,
                "reason": self._author.reason,
                "now": self._author.now,
                "review_id": review_id,
            },
        )

    def heed(self, constraints: Iterable[Constraint]) -> None:
        """Constraints that came, changed or went in this transaction otherwise."""
        self._put += constraints

    def revoke(self, constraints: Sequence[Id]) -> None:
        """Constraints that stand no longer; they are to be heeded."""
        a = self._author
        self.tx.run(
            "revoke_constraints",
            {"constraints": list(constraints), "now": a.now, "actor": a.actor, "reason": a.reason},
        )

    def gather(self, profiles: frozenset[Id], freed: Mapping[int, int] = NOBODY_GONE) -> Found:
        """Lock and load what deciding these profiles rests on; `freed`: how many holders identifiers' keys lost.
        Raises TransactionConflict where it moved meanwhile."""
        by, put = self._by, tuple(self._put)
        return gather({}, {}, {}, self.store, by.model, by.policy, profiles, put, freed)

    def settle(
        self,
        found: Found,
        claims: Mapping[Id, frozenset[Id]] | None = None,
        release: frozenset[Id] = frozenset(),
        hold: frozenset[Id] = frozenset(),
    ) -> Settlement:
        """Decide it afresh; `claims`, `release` and `hold` are those of pipeline/identity/settle.py."""
        a, by = self._author, self._by
        given = self._claimable(claims or {})
        return settle(found.neighbourhood, by.model, by.policy, a.new_id, a.now, given, release, hold)

    def _claimable(self, claims: Mapping[Id, frozenset[Id]]) -> Mapping[Id, frozenset[Id]]:
        """Without the ids of people who were forgotten: whoever had records with them gets another one."""
        gone = {p for (p,) in self.tx.rows("erased_among", (list(claims),))} if claims else set()
        return {profile: records for profile, records in claims.items() if profile not in gone}

    def forget(self, profiles: Sequence[Id]) -> int:
        """Retire what is asked about these profiles, and tell everybody to forget them; returns how many were told of.
        Their rows are still there."""
        retired = self.reviews.retire(profiles)
        announcer = Announcer(self.tx, self._by.codec, self._author)
        announcer.reviews(retired, versions_of(self.tx, (p for c in retired for p in (c.low, c.high))))
        announcer.gone(profiles)
        return len(retired)

    def note(self, entry: Entry) -> None:
        """Write what was done into the audit log, once it is done."""
        write_entry(self.tx, entry, self._author, self._occasion)

    def note_decided(self, carried: Carried) -> None:
        """The same of what came about and was no steward's act."""
        tell_decided(self.tx, carried.logged, self._author, self._occasion)

    def carry_out(
        self,
        found: Found,
        settlement: Settlement,
        answered: Sequence[ReviewChange] = (),
        split_kind: str = "split",
        change: str | None = None,
    ) -> Carried:
        """Write what was settled and tell of it; returns what was logged and asked.

        `answered` are reviews that the act answers, or whose answer it takes back; splits are logged as `split_kind`,
        and `change` is what is said to have happened to the profiles, if not what did.
        """
        writer = IdentityWriter(self.tx, self._by.ring, self._author)
        logged = writer.merge_log(settlement.decisions, found.neighbourhood, settlement, split_kind)
        writer.profiles(settlement)
        writer.moves(settlement, ())
        writer.evidence(found)
        reviews = [*answered, *self.reviews.write(settlement)]
        versions = versions_of(
            self.tx, [*settlement.profiles, *(p for c in reviews for p in (c.low, c.high))]
        )
        announcer = Announcer(self.tx, self._by.codec, self._author)
        announcer.profiles(settlement.profiles, change)
        announcer.merges(logged, versions)
        announcer.reviews(reviews, versions)
        return Carried(tuple(logged), tuple(reviews))

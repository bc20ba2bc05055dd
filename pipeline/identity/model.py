"""The words of the core as frozen values. GLOSSARY.md says what each means.

What is made by the million is a named tuple: a frozen dataclass takes several times as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

from pipeline.codes import ReasonCode
from pipeline.identity.ids import Id
from pipeline.identity.partial_dates import is_whole


class IdentifierType(StrEnum):
    """What kind of identifier a value is; declared from the strongest to the weakest."""

    LOYALTY_ID = "loyalty_id"
    CRM_ID = "crm_id"
    EMAIL = "email"
    PHONE = "phone"
    WHATSAPP = "whatsapp"
    MARKETPLACE_ID = "marketplace_id"
    DEVICE_ID = "device_id"
    COOKIE_ID = "cookie_id"


class Trait(StrEnum):
    """The traits matching knows. Others stay in the raw event."""

    FIRST_NAME = "first_name"
    MIDDLE_NAME = "middle_name"
    LAST_NAME = "last_name"
    NAME_SUFFIX = "name_suffix"
    DATE_OF_BIRTH = "date_of_birth"
    GENDER = "gender"
    STREET = "street"
    STREET_NUMBER = "street_number"
    UNIT = "unit"
    CITY = "city"
    STATE = "state"
    POSTCODE = "postcode"
    COUNTRY = "country"
    NATIONAL_ID = "national_id"
    EMPLOYER = "employer"
    ORGANISATION = "organisation"


class MatchKeyKind(IntEnum):
    """Which combination a match key hashes. Numbers are stored: never renumber nor use one again (11, 17 are gone)."""

    IDENTIFIER = 0
    EMAIL_USER = 1
    NAME_DATE_OF_BIRTH = 2
    NAME_POSTCODE = 3
    DATE_OF_BIRTH = 4
    ADDRESS = 5
    NAMES = 6
    PHONE_TAIL = 7
    NATIONAL_ID = 8
    NAME_CITY = 9
    SURNAME_ADDRESS = 10
    NAME_LETTERS = 12
    EMAIL_LETTERS = 13
    NAME_BEGINNINGS = 14
    NAME = 15
    NAME_SPELLING = 16
    EMAIL_NAME = 18
    EMAIL_DOMAIN = 19
    CITY_YEAR = 20
    NAME_STREET = 21


class Criterion(IntEnum):
    """By what the golden value of an attribute is chosen (pipeline/identity/survivorship.py)."""

    TRUST = 0
    FREQUENCY = 1
    COMPLETENESS = 2
    RECENCY = 3


class Identifier(NamedTuple):
    """A canonical identifier. Plaintext: lives in memory only."""

    type: IdentifierType
    value: str


@dataclass(frozen=True, slots=True)
class Issue:
    """A value kept out of matching and why. `field` is e.g. `identifiers.phone`; never holds the value."""

    field: str
    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class CanonicalRecord:
    """The matching content of an event: sorted distinct identifiers, canonical traits, what was left out.

    A date of birth is `YYYY-MM-DD`; where day and month are ambiguous, both readings joined by `|`; where only the
    year, or year and month, is known, `YYYY-00-00`, `YYYY-MM-00`.
    """

    identifiers: tuple[Identifier, ...]
    traits: Mapping[Trait, str]
    issues: tuple[Issue, ...] = ()

    @property
    def is_distinct(self) -> bool:
        """True where equal content means one person: an identifier, a national id, or a name with a whole date of
        birth, a street or a postcode beside it.
        """
        has = self.traits.__contains__
        named = has(Trait.FIRST_NAME) or has(Trait.LAST_NAME) or has(Trait.ORGANISATION)
        born = has(Trait.DATE_OF_BIRTH) and is_whole(self.traits[Trait.DATE_OF_BIRTH])
        placed = born or has(Trait.STREET) or has(Trait.POSTCODE)
        return bool(self.identifiers) or has(Trait.NATIONAL_ID) or (named and placed)

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to match by: not distinct, nor two of a full name or a firm's, a date of birth, a
        place and an employer. Two people may well agree in those two: each such event is a record of its own.
        """
        if self.is_distinct:
            return False
        has = self.traits.__contains__
        told = (
            (has(Trait.FIRST_NAME) and has(Trait.LAST_NAME)) or has(Trait.ORGANISATION),
            has(Trait.DATE_OF_BIRTH),
            has(Trait.CITY) or has(Trait.POSTCODE) or has(Trait.STREET),
            has(Trait.EMPLOYER),
        )
        return sum(told) < 2


class MatchKey(NamedTuple):
    """A keyed hash, truncated to a signed 64-bit number, that brings likely matches together.

    A collision costs one comparison, never a wrong link: comparison looks at the values themselves.
    """

    kind: MatchKeyKind
    key: int


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """A distinct combination of identifiers and traits. Equal content has an equal id, whatever the order of arrival.

    Beside the content stands what is known by now: `products`, the hashes of distinct products its events bought, and
    `shared`, those of its identifiers that too many people hold, with the bits that agreement on each has lost. Both
    only ever grow. `own_side` remembers what comparison makes of the content, so that a record that is compared again
    and again pays once.
    """

    record_id: Id
    identifiers: tuple[Identifier, ...]
    traits: Mapping[Trait, str]
    products: frozenset[int] = frozenset()
    shared: tuple[tuple[Identifier, float], ...] = ()
    own_side: object | None = field(default=None, init=False, compare=False, repr=False)

    def having_bought(self, products: frozenset[int]) -> IdentityRecord:
        """The record with these purchases."""
        return self._with(products, self.shared)

    def sharing(self, shared: tuple[tuple[Identifier, float], ...]) -> IdentityRecord:
        """The record with these identifiers known to be shared."""
        return self if shared == self.shared else self._with(self.products, shared)

    def _with(self, products: frozenset[int], shared: tuple[tuple[Identifier, float], ...]) -> IdentityRecord:
        made = IdentityRecord(self.record_id, self.identifiers, self.traits, products, shared)
        object.__setattr__(made, "own_side", self.own_side)
        return made


@dataclass(frozen=True, slots=True)
class RecordActivity:
    """What is folded over the events of a record. Every fold commutes: order cannot matter."""

    first_seen: datetime
    last_seen: datetime
    sources: tuple[str, ...] = ()


class LevelWeight(NamedTuple):
    """One attribute's comparison: the level reached and its log2 match weight (bits)."""

    attribute: str
    level: str
    weight: float


class Comparison(NamedTuple):
    """The evidence between two sides (records or clusters of them).

    `weight` is the sum in bits including the prior; `confidence` the calibrated probability in [0, 1];
    `veto` names the rule that forbids a merge however high the weight.
    """

    weight: float
    confidence: float
    levels: tuple[LevelWeight, ...]
    veto: ReasonCode | None = None


class Edge(NamedTuple):
    """Two records and the evidence between them; `low < high`."""

    low: Id
    high: Id
    comparison: Comparison


class ConstraintKind(StrEnum):
    """What a steward said of two sets of records."""

    MUST_LINK = "must_link"
    CANNOT_LINK = "cannot_link"


@dataclass(frozen=True, slots=True)
class Constraint:
    """Every record of `left` must (or must not) be one customer with every record of `right`."""

    kind: ConstraintKind
    left: frozenset[Id]
    right: frozenset[Id]

    def parts(self, one: Set[Id], other: Set[Id]) -> bool:
        """Whether it forbids the two sets of records to be one customer."""
        return self.kind is ConstraintKind.CANNOT_LINK and bool(
            (self.left & one and self.right & other) or (self.left & other and self.right & one)
        )


@dataclass(frozen=True, slots=True)
class Partition:
    """The outcome of clustering: disjoint clusters covering every record, and the pairs that need a steward.

    `refused` holds, for each pair of clusters with an edge of at least the review threshold between them, the best
    such edge and why it did not join them; pairs that a steward parted are not in it. `joined` holds the edges that
    joined clusters, in descending weight.
    """

    clusters: tuple[frozenset[Id], ...]
    refused: tuple[tuple[Edge, ReasonCode], ...] = ()
    joined: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True)
class StandingProfile:
    """A profile as it stands before a decision. `created_at` decides which id survives a merge."""

    profile_id: Id
    created_at: datetime
    records: frozenset[Id]


# ── decisions: the diff between what stands and what clustering says ────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Linked:
    """New records join a profile that stands."""

    profile_id: Id
    records: frozenset[Id]
    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class Created:
    """New records found a profile."""

    profile_id: Id
    records: frozenset[Id]


@dataclass(frozen=True, slots=True)
class Merged:
    """`source` and all its records go into `target`, which keeps its id."""

    source: Id
    target: Id
    records: frozenset[Id]
    edge: Edge | None


@dataclass(frozen=True, slots=True)
class Split:
    """`records` leave `source` for `target`: a new profile (`is_new`) or one that stands."""

    source: Id
    target: Id
    records: frozenset[Id]
    is_new: bool
    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class Review:
    """Two profiles that a steward must look at; `low < high`."""

    low: Id
    high: Id
    edge: Edge
    reason: ReasonCode


@dataclass(frozen=True, slots=True)
class Proposal:
    """A profile too large to be split without a steward, and the parts it should fall into: the largest first.

    `edge` names the lowest record of the first part and the lowest of the others, and compares the two sides as wholes.
    """

    profile: Id
    parts: tuple[frozenset[Id], ...]
    edge: Edge
    reason: ReasonCode = ReasonCode.MERGE_NO_LONGER_HOLDS


Decision = Linked | Created | Merged | Split | Review


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """attribute name -> the id of the record whose value wins. Holds no value itself.

    `contested` where the records differ in the value of an attribute: only then does it matter which of them was seen
    last, and by whom.
    """

    winners: Mapping[str, Id] = field(default_factory=dict)
    contested: bool = False

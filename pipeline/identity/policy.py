"""What the business says about identifiers, thresholds and limits: plain values, validated where they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.identity.consent import PURPOSES, ConsentState
from pipeline.identity.model import Criterion, IdentifierType, MatchKeyKind, Trait
from pipeline.identity.twins import HoldersCompared

NAME = frozenset((Trait.FIRST_NAME, Trait.MIDDLE_NAME, Trait.LAST_NAME, Trait.NAME_SUFFIX))
ADDRESS = frozenset(
    (
        Trait.STREET,
        Trait.STREET_NUMBER,
        Trait.UNIT,
        Trait.CITY,
        Trait.STATE,
        Trait.POSTCODE,
        Trait.COUNTRY,
    )
)
GROUPS: Mapping[str, frozenset[Trait]] = {"name": NAME, "address": ADDRESS}
"""Attributes that belong together, by the name a policy calls them."""

_GROUP_OF = {trait.value: group for group, traits in GROUPS.items() for trait in traits}
_CRITERIA = (Criterion.TRUST, Criterion.COMPLETENESS, Criterion.RECENCY)

_LOADED = 3


@dataclass(frozen=True, slots=True)
class IdentifierPolicy:
    """How far one type of identifier can be trusted.

    `exclusive`: a customer has one value of it, so two different ones are two customers. `customers_per_identifier`:
    how many customers may share a value before it stops being evidence. `identifiers_per_customer`: how many values a
    customer may gather. `weight` scales the model's bits, 0 to 1. `priority` orders types where one must be
    chosen, lowest first.
    """

    exclusive: bool
    customers_per_identifier: int
    identifiers_per_customer: int
    weight: float
    priority: int


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of the house for one deployment; `version` is a hash of the content.

    `neighbourhood_limit`: two customers of more than one record each, who together have more, are not merged without a
    steward. `split_limit`: a customer of more records, whose merges no longer hold, is not split without one.
    `holders_compared`: with whom each of many who share an identifier is compared (pipeline/identity/twins.py).
    `survivorship` and `source_trust_of` name attributes or groups (`GROUPS`), the former `default` as well. `purposes`
    are what customers can grant and withdraw, each with what holds while nothing was said.
    """

    version: str
    auto_merge: float
    review: float
    neighbourhood_limit: int
    identifiers: Mapping[IdentifierType, IdentifierPolicy]
    block_caps: Mapping[MatchKeyKind, int]
    source_trust: Mapping[str, int]
    default_source_trust: int
    placeholders: frozenset[str]
    placeholder_dates: frozenset[str]
    placeholder_emails: frozenset[str]
    role_mailboxes: frozenset[str]
    dotless_domains: frozenset[str]
    domain_aliases: Mapping[str, str]
    split_limit: int = 20
    holders_compared: HoldersCompared = field(default_factory=HoldersCompared)
    placeholder_phones: frozenset[str] = frozenset()
    dash_tag_domains: frozenset[str] = frozenset()
    survivorship: Mapping[str, tuple[Criterion, ...]] = field(default_factory=dict)
    source_trust_of: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    purposes: Mapping[str, ConsentState] = field(default_factory=lambda: PURPOSES)

    @property
    def load_limit(self) -> int:
        """Most records of one neighbourhood that a decision looks at: a larger one is left as it is."""
        return _LOADED * self.neighbourhood_limit

    def criteria(self, attribute: str) -> tuple[Criterion, ...]:
        """By what the golden value of an attribute is chosen: its own criteria, or its group's, or the default ones."""
        given = self.survivorship
        group = _GROUP_OF.get(attribute, attribute)
        return given.get(attribute) or given.get(group) or given.get("default") or _CRITERIA

    def trust(self, source: str, attribute: str = "") -> int:
        """How far a source is believed in the golden record, of this attribute where that is told; higher wins."""
        for name in (attribute, _GROUP_OF.get(attribute, "")) if self.source_trust_of else ():
            if (told := self.source_trust_of.get(name, {}).get(source)) is not None:
                return told
        return self.source_trust.get(source, self.default_source_trust)

    def block_cap(self, kind: MatchKeyKind) -> int:
        """Most records that may share a match key of this kind before the key is skipped."""
        return self.block_caps[kind]

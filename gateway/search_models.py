"""What is searched for, and what is found."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.cursors import MAX_CURSOR
from gateway.customer_models import CursorPage
from gateway.models import Profile, View
from gateway.paging import MAX_LIMIT
from gateway.taken import Amount, Count, Flag, Moment, Text
from gateway.together import OBJECT, any_of, given
from pipeline.codes import ReasonCode
from pipeline.identity.model import IdentifierType
from pipeline.identity.normalize import MAX_VALUE

Sought = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=MAX_VALUE)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SoughtIdentifiers(_Asked):
    """Identifiers, each to be held just as it is once in canonical form."""

    phone: Sought | None = None
    email: Sought | None = None
    loyalty_id: Sought | None = None
    crm_id: Sought | None = None
    whatsapp: Sought | None = None
    marketplace_id: Sought | None = None
    device_id: Sought | None = None
    cookie_id: Sought | None = None


class SoughtPerson(_Asked):
    """What is known of somebody, however it is spelt; the traits of events, and a phone or an e-mail address that may
    hold a slip."""

    full_name: Sought | None = None
    first_name: Sought | None = None
    middle_name: Sought | None = None
    last_name: Sought | None = None
    date_of_birth: Sought | None = None
    address: Sought | None = None
    street: Sought | None = None
    street_number: Sought | None = None
    unit: Sought | None = None
    city: Sought | None = None
    state: Sought | None = None
    postcode: Sought | None = None
    country: Sought | None = None
    organisation: Sought | None = None
    phone: Sought | None = None
    email: Sought | None = None


class SearchFilter(_Asked):
    """Conditions that an index answers: every one that is given has to hold."""

    source: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = Field(
        None, description="Some event of theirs came from this source."
    )
    identifier_types: list[IdentifierType] = Field(
        [], max_length=8, description="They hold an identifier of each of these types."
    )
    last_seen_from: Moment | None = Field(None, description="Their last event is no older.")
    last_seen_before: Moment | None = Field(None, description="Their last event is older.")
    created_from: Moment | None = None
    created_before: Moment | None = None
    has_open_review: Flag | None = Field(None, description="A steward is asked about them, or is not.")


class SearchRequest(_Asked):
    """Whom to find: `identifiers`, `person`, `filter` or several of them. All that is given has to hold."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "person": {"full_name": "Ann Leigh", "date_of_birth": "1984-05-01", "postcode": "94107"},
                "filter": {"source": "pos"},
                "min_score": 0.1,
                "limit": 10,
            },
            **any_of(given(identifiers=OBJECT), given(person=OBJECT), given(filter=OBJECT)),
        },
    )

    identifiers: SoughtIdentifiers | None = None
    person: SoughtPerson | None = None
    filter: SearchFilter | None = None
    min_score: Amount = Field(
        0.0,
        ge=0,
        le=1,
        description="With `person`: only profiles that are the person with so much confidence. No other threshold is "
        "applied: 0 gives every candidate.",
    )
    limit: Count = Field(20, ge=1, le=MAX_LIMIT)
    cursor: Text | None = Field(None, max_length=MAX_CURSOR, description="`next` of the page before.")


class AttributeLevel(View):
    """How far an attribute agrees, and the log2 weight of that for one person (negative: against)."""

    attribute: str
    level: str
    bits: float


class SearchHit(View):
    """A profile found. With `person`: its record that is most like what was sought, and how they compare."""

    profile: Profile
    score: float | None = Field(description="The confidence that both are one person; null without `person`.")
    weight: float | None = Field(description="The same as log2 odds.")
    record_id: UUID | None
    evidence: list[AttributeLevel]
    veto: ReasonCode | None


class SearchResults(CursorPage[SearchHit]):
    """A page of profiles: with `person` the likeliest first, else in the order of their ids, which is that of their
    making."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "data": [],
                "next": None,
                "compared": 12,
                "left_out": 0,
                "overfull": ["name"],
                "examined": None,
            }
        },
    )

    compared: int | None = Field(description="With `person`: how many records were compared.")
    left_out: int | None = Field(
        description="With `person`: records that share less with what was sought than the 500 that were compared, and "
        "were not. Not 0: send more of what is known."
    )
    overfull: list[str] = Field(
        description="With `person`: kinds of match keys that too many share to be looked up by, as a common name."
    )
    examined: int | None = Field(
        description="Without `person`: how many profiles were looked at. A page may hold fewer than `limit`, or none, "
        "and still have a `next`: no more than 20,000 are looked at for a page."
    )

"""Calls that ask about customers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import orjson

from client.call import Call
from client.calls.making import Ident, get, ident
from gateway.customer_models import (
    ConsentHistory,
    EventsPage,
    Identifiers,
    PastProfile,
    Relationships,
    Similar,
    Summary,
    Timeline,
    WholeProfile,
)
from gateway.explanations import PairExplained, ProfileExplained
from gateway.models import LiveInsights, Recommendations
from gateway.search_models import SearchResults


def profile(
    profile_id: Ident, *, fresh: bool = False, reveal: bool = False, with_summary: bool = False
) -> Call[WholeProfile]:
    """One customer; `fresh` as it is committed, not as it is cached; `reveal` unmasked, for keys that may see it;
    `with_summary` in figures too."""
    path, headers = f"/v1/profiles/{ident(profile_id)}", {"Cache-Control": "no-cache"} if fresh else {}
    query = {"reveal": reveal, "include": "summary" if with_summary else None}
    return Call("GET", path, WholeProfile.model_validate_json, query=query, headers=headers)


def events(profile_id: Ident, *, page: int = 1, limit: int = 20) -> Call[EventsPage]:
    """A customer's events, newest first."""
    return get(f"/v1/profiles/{ident(profile_id)}/events", EventsPage, page=page, limit=limit)


def summary(profile_id: Ident) -> Call[Summary]:
    """A customer in figures: what it spent, how often, where, and how that compares."""
    return get(f"/v1/profiles/{ident(profile_id)}/summary", Summary)


def timeline(
    profile_id: Ident,
    *,
    only: Literal["events", "decisions", "actions"] | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Call[Timeline]:
    """What happened to a customer, newest first: `only` of a kind, behind the `cursor` of the page before."""
    path = f"/v1/profiles/{ident(profile_id)}/timeline"
    return get(path, Timeline, only=only, cursor=cursor, limit=limit)


def identifiers(profile_id: Ident, *, reveal: bool = False) -> Call[Identifiers]:
    """What names a customer, and how that came; `reveal` as it is, for keys that may see it."""
    return get(f"/v1/profiles/{ident(profile_id)}/identifiers", Identifiers, reveal=reveal)


def history(profile_id: Ident, as_of: datetime, *, reveal: bool = False) -> Call[PastProfile]:
    """A customer as it stood at a moment, which needs a time zone."""
    path = f"/v1/profiles/{ident(profile_id)}/history"
    return get(path, PastProfile, as_of=as_of.isoformat(), reveal=reveal)


def consent(profile_id: Ident) -> Call[ConsentHistory]:
    """What a customer's data may be used for, and all that was said of it."""
    return get(f"/v1/profiles/{ident(profile_id)}/consent", ConsentHistory)


def relationships(profile_id: Ident) -> Call[Relationships]:
    """Whom a customer shares a home, a phone or a card with."""
    return get(f"/v1/profiles/{ident(profile_id)}/relationships", Relationships)


def similar(profile_id: Ident, *, limit: int = 10) -> Call[Similar]:
    """Who buys alike, and what both buy."""
    return get(f"/v1/profiles/{ident(profile_id)}/similar", Similar, limit=limit)


def search(
    *,
    identifiers: Mapping[str, object] | None = None,
    person: Mapping[str, str] | None = None,
    where: Mapping[str, object] | None = None,
    min_score: float = 0.0,
    limit: int = 20,
    cursor: str | None = None,
    reveal: bool = False,
) -> Call[SearchResults]:
    """Customers that hold these identifiers, are like this person (ranked), and of whom this is true. What is sought is
    in the body, which no log of requests holds."""
    given = {"identifiers": identifiers, "person": person, "filter": where, "cursor": cursor}
    body = {name: value for name, value in given.items() if value is not None}
    return Call(
        "POST",
        "/v1/profiles:search",
        SearchResults.model_validate_json,
        query={"reveal": reveal},
        body=orjson.dumps({**body, "min_score": min_score, "limit": limit}),
    )


def why(profile_id: Ident) -> Call[ProfileExplained]:
    """What holds a customer together."""
    return get(f"/v1/profiles/{ident(profile_id)}/explain", ProfileExplained)


def why_with(profile_id: Ident, other: Ident) -> Call[PairExplained]:
    """Why a customer and another profile or record are one, or not."""
    return get(f"/v1/profiles/{ident(profile_id)}/explain", PairExplained, **{"with": ident(other)})


def recommendations(profile_id: Ident, *, limit: int = 10) -> Call[Recommendations]:
    """What a customer may like."""
    return get(f"/v1/recommendations/{ident(profile_id)}", Recommendations, limit=limit)


def insights(
    window: str = "minute", *, channel: str | None = None, store: str | None = None, last: int = 1
) -> Call[LiveInsights]:
    """Figures of the last windows."""
    return get("/v1/insights/live", LiveInsights, window=window, channel=channel, store=store, last=last)

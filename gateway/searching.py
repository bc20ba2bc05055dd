"""Search: customers by identifiers, by what is known of a person, and by conditions, in one route.

What is sought comes in a body: an address stands in logs, of ours or of whoever is on the way, and a body does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request

from gateway.cursors import Cursors
from gateway.documentation import BODY, errors
from gateway.links import about, leading_to, link
from gateway.ports import Ports, ports_of
from gateway.revealing import Reveal, tell_searched
from gateway.rights import needs
from gateway.search_models import AttributeLevel, SearchHit, SearchRequest, SearchResults
from gateway.sought import canonical, hashes_sought, invalid
from gateway.states import view
from pipeline.api_keys.scope import Scope
from pipeline.customer.search import Match
from pipeline.errors import BadInput, NotFound
from pipeline.identity.blocking import match_keys
from pipeline.identity.model import CanonicalRecord

router = APIRouter(prefix="/v1", tags=["profiles"], dependencies=[needs(Scope.READ)])

STEP, MOST_EXAMINED = 1_000, 20_000
_FIRST = str(UUID(int=0))

Conditions = Mapping[str, object]
Show = Callable[[UUID, Match | None], Awaitable[SearchHit | None]]


_FOUND = "$response.body#/data/{}/profile/profile_id"
_JOIN = link(
    "post_join",
    "What making the first two one customer would move.",
    body={
        "profiles": [_FOUND.format(0), _FOUND.format(1)],
        "reason": "a rehearsal",
        "dry_run": True,
    },
)


@router.post(
    "/profiles:search",
    responses={**leading_to({**about(_FOUND.format(0)), "rehearse_join": _JOIN}), **errors(*BODY)},
    summary="Find customers",
)
async def search_profiles(request: Request, body: SearchRequest, reveal: Reveal) -> SearchResults:
    """By `identifiers`: who holds all of them. By `person`: whose records are like what is known, ranked by the model
    that also decides, with the evidence; spelling, nicknames and swapped names are forgiven as they are in matching.
    By `filter`: who fits. All that is given has to hold.

    Values are canonicalised and hashed, and looked up by match keys: no plaintext is stored or searched, none stands
    in the address. `next` goes on behind the last profile of a page. By id (`identifiers`, `filter`) none comes twice;
    one that comes to fit, or is restored by a split or a rollback, before that place is passed over. By score
    (`person`) one that rises between two pages may be passed over, and one that falls may come twice.
    """
    ports = ports_of(request)
    if body.identifiers is None and body.person is None and body.filter is None:
        raise BadInput("person", "nothing is sought; send identifiers, person or filter")
    cursors = Cursors(ports.ring, "search", body.model_dump(mode="json", exclude={"limit", "cursor"}))
    conditions = _conditions(ports, body)
    show = partial(_hit, ports, reveal=reveal)
    if body.person is not None:
        found = await _ranked(ports, body, _person(ports, body), conditions, cursors, show)
    else:
        found = await _walked(ports, body, conditions, cursors, show)
    await tell_searched(request, _by(body), [hit.profile.profile_id for hit in found.data], reveal=reveal)
    return found


def _by(body: SearchRequest) -> list[str]:
    """What is sought, by names of fields: `identifiers.phone`."""
    given = body.model_dump(exclude_none=True, include={"identifiers", "person", "filter"})
    return sorted(f"{part}.{field}" for part, fields in given.items() for field in fields)


async def _ranked(
    ports: Ports,
    body: SearchRequest,
    person: CanonicalRecord,
    conditions: Conditions,
    cursors: Cursors,
    show: Show,
) -> SearchResults:
    """Those like a person, the likeliest first."""
    found = await ports.readers.read(lambda reader: reader.alike(person))
    ids = [UUID(bytes=m.profile_id) for m in found.matches]
    rows = await ports.store.rows("search_fitting", {**conditions, "profiles": ids})
    fitting = {row["profile_id"] for row in rows}
    place = cursors.read(body.cursor) if body.cursor else None
    left = [
        (m, profile)
        for m, profile in zip(found.matches, ids, strict=True)
        if profile in fitting
        and m.confidence >= body.min_score
        and (place is None or (-m.weight, str(profile)) > (-float(str(place[0])), str(place[1])))
    ]
    page = left[: body.limit]
    last = page[-1] if len(left) > body.limit else None
    return SearchResults(
        data=[hit for m, profile in page if (hit := await show(profile, m))],
        next=cursors.write((last[0].weight, str(last[1]))) if last else None,
        compared=found.compared,
        left_out=found.left_out,
        overfull=list(found.overfull),
        examined=None,
    )


async def _walked(
    ports: Ports, body: SearchRequest, conditions: Conditions, cursors: Cursors, show: Show
) -> SearchResults:
    """Those that fit, by id: looked through step by step, from where the page before ended."""
    after = str(cursors.read(body.cursor)[0]) if body.cursor else _FIRST
    found: list[UUID] = []
    examined, ended = 0, False
    while not ended and len(found) <= body.limit and examined < MOST_EXAMINED:
        rows = await ports.store.rows(_source(body), {**conditions, "after": after, "most": STEP})
        examined, ended = examined + len(rows), len(rows) < STEP
        ids = [row["profile_id"] for row in rows if not row["merged"]]
        fitting = await ports.store.rows("search_fitting", {**conditions, "profiles": ids})
        found += [row["profile_id"] for row in fitting]
        after = str(rows[-1]["profile_id"]) if rows else after
    more = len(found) > body.limit
    found = found[: body.limit]
    behind = str(found[-1]) if more else after
    return SearchResults(
        data=[hit for profile in found if (hit := await show(profile, None))],
        next=cursors.write((behind,)) if more or not ended else None,
        compared=None,
        left_out=None,
        overfull=[],
        examined=examined,
    )


def _source(body: SearchRequest) -> str:
    """The query that leads to the fewest profiles."""
    if body.identifiers is not None:
        return "search_holders"
    return "search_reviewed" if body.filter and body.filter.has_open_review else "search_everyone"


async def _hit(ports: Ports, profile: UUID, match: Match | None, *, reveal: bool) -> SearchHit | None:
    try:
        seen = await view(ports, profile, cached=False, reveal=reveal)
    except NotFound:  # erased between the queries
        return None
    if match is None:
        return SearchHit(profile=seen, score=None, weight=None, record_id=None, evidence=[], veto=None)
    return SearchHit(
        profile=seen,
        score=match.confidence,
        weight=match.weight,
        record_id=UUID(bytes=match.record_id),
        evidence=[AttributeLevel(attribute=v.attribute, level=v.level, bits=v.weight) for v in match.levels],
        veto=match.veto,
    )


def _conditions(ports: Ports, body: SearchRequest) -> Conditions:
    """The parameters of the queries: identifiers hashed, and the filter."""
    given = {} if body.identifiers is None else body.identifiers.model_dump(exclude_none=True)
    if body.identifiers is not None and not given:
        raise invalid("identifiers", "none is named", "name at least one, such as phone")
    record = canonical(ports, "identifiers", {name: [value] for name, value in given.items()}, {})
    return {
        **hashes_sought(ports.ring, record.identifiers),
        "source": None,
        "identifier_types": [],
        "last_seen_from": None,
        "last_seen_before": None,
        "created_from": None,
        "created_before": None,
        "has_open_review": None,
        **(body.filter.model_dump() if body.filter else {}),
    }


def _person(ports: Ports, body: SearchRequest) -> CanonicalRecord:
    """What is known of the person as a record that can be found by. Raises InvalidEvent."""
    assert body.person is not None
    traits: dict[str, str] = body.person.model_dump(exclude_none=True)
    identifiers: dict[str, Sequence[str]] = {n: [traits.pop(n)] for n in ("phone", "email") if n in traits}
    record = canonical(ports, "person", identifiers, traits)
    if not match_keys(record, ports.ring.naming):
        mend = "send a surname, a whole date of birth, a street with a place, a phone or an e-mail address"
        raise invalid("person", "nothing that people are found by", mend)
    return record

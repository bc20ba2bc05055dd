"""The state of a profile: from Redis where the cache has it, else from Postgres; and the view made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError

from gateway.models import Consent, GoldenValue, MaskedIdentifier, Profile
from gateway.opening import decided_by, hashed, opened_records, shown
from gateway.ports import Ports
from pipeline import metrics
from pipeline.errors import NotFound
from pipeline.identity.consent import ConsentState
from pipeline.identity.policy import Policy
from pipeline.log import get_logger

MAX_HOPS = 100
MAX_OPENED = 500


class StateIdentifier(BaseModel):
    """An identifier of a profile, hashed."""

    type: str
    value_hash: str
    hash_key_version: int
    first_seen_at: datetime
    last_seen_at: datetime


class StateConsent(BaseModel):
    """The last word on a purpose."""

    purpose: str
    state: ConsentState
    at: datetime
    source: str


class State(BaseModel):
    """profile_state of schemas/avro, as the cache keeps it and `read_profile` answers it."""

    profile_id: UUID
    version: int
    status: str
    merged_into: UUID | None = None
    created_at: datetime
    updated_at: datetime
    record_ids: list[UUID]
    identifiers: list[StateIdentifier]
    golden_record: dict[str, UUID]
    consent: list[StateConsent] = []


async def _from_cache(ports: Ports, profile_id: UUID) -> State | None:
    """The state an id leads to, or None where the cache does not know, is away, or holds what it should not."""
    wanted = profile_id
    try:
        for _ in range(MAX_HOPS):
            text = await ports.profiles.state(wanted)
            if text is None:
                return None
            state = State.model_validate_json(text)
            if state.merged_into is None:
                return state
            wanted = state.merged_into
    except (RedisError, OSError) as exc:
        get_logger().debug("profile read past the cache", cause=type(exc).__name__)
    except ValidationError:
        get_logger().error("a cached profile is malformed", profile_id=str(wanted))
    return None


async def _from_store(ports: Ports, profile_id: UUID) -> State:
    rows = await ports.store.rows("read_profile", {"profile_id": profile_id})
    if not rows:
        raise NotFound("no such profile")
    return State.model_validate(rows[0])


async def read_state(ports: Ports, profile_id: UUID, *, cached: bool) -> State:
    """The state an id leads to, through merges. Raises NotFound, StoreUnavailable."""
    state = await _from_cache(ports, profile_id) if cached else None
    metrics.PROFILE_READS.labels("store" if state is None else "cache").inc()
    return state or await _from_store(ports, profile_id)


async def view(ports: Ports, profile_id: UUID, *, cached: bool, reveal: bool = False) -> Profile:
    """The profile an id leads to, with its values opened. Raises NotFound, StoreUnavailable.

    What names a customer is masked unless it is to be revealed. Of a profile with more than MAX_OPENED records only
    the golden ones and the oldest are opened: an identifier that only others hold has no value.
    """
    state = await read_state(ports, profile_id, cached=cached)
    wanted = list(dict.fromkeys([*state.golden_record.values(), *state.record_ids]))[:MAX_OPENED]
    records = opened_records(ports.ring, await ports.profiles.records(wanted))
    values = hashed(ports.ring, records, frozenset(i.hash_key_version for i in state.identifiers))
    identifiers = [
        MaskedIdentifier(
            type=i.type,
            value=shown(values[i.type, i.value_hash], reveal=reveal)
            if (i.type, i.value_hash) in values
            else None,
            first_seen=i.first_seen_at,
            last_seen=i.last_seen_at,
        )
        for i in state.identifiers
    ]
    why = decided_by(records, ports.policy) if len(records) == len(state.record_ids) else {}
    golden = {
        attribute: GoldenValue(
            value=records[record_id].value(attribute, reveal=reveal) if record_id in records else None,
            record_id=record_id,
            decided_by=why.get((attribute, record_id)),
        )
        for attribute, record_id in state.golden_record.items()
    }
    return Profile(
        profile_id=state.profile_id,
        merged_from=profile_id if profile_id != state.profile_id else None,
        version=state.version,
        status=state.status,
        created_at=state.created_at,
        updated_at=state.updated_at,
        record_count=len(state.record_ids),
        record_ids=state.record_ids,
        identifiers=identifiers,
        golden_record=golden,
        consent=consent_shown(state.consent, ports.policy),
    )


def consent_shown(stated: Sequence[StateConsent], policy: Policy) -> list[Consent]:
    """What holds of each purpose, by what was said, or else by the policy."""
    told = {
        name: Consent(purpose=name, state=held, at=None, source=None)
        for name, held in policy.purposes.items()
    }
    told |= {one.purpose: Consent.model_validate(one.model_dump()) for one in stated}
    return [told[name] for name in sorted(told)]

"""What each database role may do, declared once: grants and docs/reference.md follow from here.

Nobody but the owner has what is not named here. Rights are written as GRANT takes them. Columns are named where the
others hold something sealed or are not to change; immutable tables are given to nobody to UPDATE, DELETE or TRUNCATE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.store.roles import Role

ForTables = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rights:
    """Of one role: by table or view what it may do there, and the functions that it may call."""

    tables: ForTables
    functions: frozenset[str] = frozenset()


def _all(*parts: ForTables) -> ForTables:
    """What any of the parts gives."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: ", ".join(part[name] for part in parts if name in part) for name in names}


_SCHEMA = {"_yoyo_migration": "SELECT"}  # to wait until it is up to date
_TELLING = {"audit_entry": "INSERT, SELECT (entry_id)", "audit_unchained": "INSERT, SELECT (unchained_id)"}
_TOLD = frozenset(("merge_logs_of", "merge_log_digest"))
_POSITIONS = {"consumer_position": "SELECT, INSERT, UPDATE (next_offset, updated_at)"}
_PAUSES = {"stage_pause": "SELECT, INSERT"}
_STAGE = _all(_SCHEMA, _TELLING, _PAUSES)

_DECIDING = {
    "activation": "SELECT",
    "configuration_in_force": "SELECT, INSERT",
    "consent": "SELECT",
    "key_rotation": "SELECT",
    "rekeyed": "SELECT",
    "stored_configuration": "SELECT, INSERT",
    "customer_profile": "SELECT, INSERT, UPDATE",
    "data_key": "SELECT",
    "identity_constraint": "SELECT",
    "identity_evidence": "SELECT, INSERT, UPDATE, DELETE",
    "identity_merge_log": "INSERT",
    "identity_record": "SELECT, UPDATE (profile_id, first_seen, last_seen, sources)",
    "match_key": "SELECT",
    "outbox": "INSERT",
    "profile_identifier": "SELECT",
    "record_product": "SELECT",
    "review_queue": "SELECT, INSERT, UPDATE",
    "shared_identifier": "SELECT, INSERT",
    "worn_key": "SELECT, INSERT, UPDATE",
}

_STEWARD = _all(
    _SCHEMA,
    _TELLING,
    _DECIDING,
    {
        "audit_chain": "SELECT",
        "current_identifier": "SELECT",
        "erased_profile": "SELECT",
        "event": "SELECT (event_id, record_id)",
        "event_index": "SELECT",
        "identity_constraint": "INSERT, UPDATE (revoked_at, revoked_by, revoke_reason)",
        "identity_merge_log": "SELECT, UPDATE (rolled_back, rolled_back_at, rolled_back_by)",
        "record_identifier": "SELECT",
    },
)
_STEWARD_CALLS = _TOLD | {"review_etag", "constraint_etag"}

_READING = {
    "activation": "SELECT",
    "configuration_in_force": "SELECT",
    "consent": "SELECT",
    "current_identifier": "SELECT",
    "customer_profile": "SELECT",
    "customer_raw_event": "SELECT",
    "data_key": "SELECT",
    "event": "SELECT",
    "event_index": "SELECT",
    "identity_constraint": "SELECT",
    "identity_evidence": "SELECT",
    "identity_merge_log": "SELECT",
    "identity_record": "SELECT",
    "kept_wear": "SELECT",
    "key_rotation": "SELECT",
    "match_key": "SELECT",
    "profile_consent": "SELECT",
    "profile_identifier": "SELECT",
    "record_identifier": "SELECT",
    "record_product": "SELECT",
    "rekeyed": "SELECT",
    "review_queue": "SELECT",
    "shared_identifier": "SELECT",
    "stored_configuration": "SELECT",
    "webhook": "SELECT (webhook_id, url, types, description, created_at, enabled, disabled_at, disabled_reason)",
    "worn_key": "SELECT",
}

RIGHTS: Mapping[Role, Rights] = {
    Role.GATEWAY: Rights(
        _all(
            _SCHEMA,
            _READING,
            {
                "api_key": "SELECT, UPDATE (last_used_at)",
                "audit_chain": "SELECT",
                "audit_entry": "SELECT",
                "audit_unchained": "SELECT",
                "dead_letter": 'SELECT (dead_letter_id, stage, reason, detail, topic, partition, "offset", message_at, '
                "failed_at, truncated, replay_of, status)",
                "dead_letter_action": "SELECT (action_id, dead_letter_id, action)",
                "erased_profile": "SELECT",
                "erasure": "SELECT",
                "profile_embedding": "SELECT",
                "stage_pause": "SELECT",
                "steward_action": "SELECT",
            },
        ),
        frozenset(("merge_logs_of", "review_etag", "constraint_etag")),
    ),
    Role.AUDIT: Rights(_TELLING, _TOLD),
    Role.STEWARD: Rights(_STEWARD, _STEWARD_CALLS),
    Role.ERASER: Rights(
        _all(
            _STEWARD,
            {
                "audit_entry": "SELECT",
                "consent": "DELETE",
                "customer_profile": "DELETE",
                "data_key": "DELETE",
                "dead_letter": "SELECT",
                "dead_letter_action": "SELECT",
                "duplicate_event": "SELECT, DELETE",
                "erased_profile": "INSERT",
                "erasure": "SELECT, INSERT",
                "event": "SELECT (accepted_at, raw_id), DELETE",
                "event_index": "INSERT, UPDATE (record_id, erased_by)",
                "identity_constraint": "UPDATE (left_records, right_records), DELETE",
                "identity_merge_log": "UPDATE (records, source_snapshot, target_snapshot, scoring_details)",
                "identity_record": "DELETE",
                "kept_wear": "SELECT, INSERT",
                "match_key": "DELETE",
                "profile_embedding": "SELECT, DELETE",
                "record_identifier": "DELETE",
                "record_product": "DELETE",
                "rekeyed": "DELETE",
                "shared_identifier": "DELETE",
                "worn_key": "DELETE",
            },
        ),
        _STEWARD_CALLS | {"without_person"},
    ),
    Role.OPERATOR: Rights(
        _all(
            _SCHEMA,
            _TELLING,
            _POSITIONS,
            {
                "consumer_position": "DELETE",
                "data_key": "SELECT, INSERT, DELETE",
                "dead_letter": "SELECT, UPDATE (status)",
                "dead_letter_action": "SELECT, INSERT",
                "outbox": "INSERT",
                "stage_pause": "SELECT, UPDATE (resumed_at, resumed_by, resume_reason)",
                "webhook": "SELECT, INSERT, UPDATE, DELETE",
                "webhook_delivery": "SELECT, INSERT, UPDATE, DELETE",
                "webhook_key": "SELECT",
            },
        ),
        _TOLD,
    ),
    Role.KEYS: Rights(_all(_SCHEMA, _TELLING, {"api_key": "SELECT, INSERT, UPDATE"}), _TOLD),
    Role.NORMALIZE: Rights(
        _all(
            _STAGE,
            _POSITIONS,
            {"customer_raw_event": "INSERT", "data_key": "SELECT, INSERT", "outbox": "INSERT"},
        ),
        _TOLD | {"ensure_month"},
    ),
    Role.RESOLVE: Rights(
        _all(
            _STAGE,
            _POSITIONS,
            _DECIDING,
            {
                "consent": "INSERT",
                "data_key": "INSERT, DELETE",
                "duplicate_event": "SELECT, INSERT",
                "event": "SELECT (event_id, raw_id, record_id, accepted_at), INSERT",
                "event_index": "SELECT, INSERT",
                "identity_record": "INSERT",
                "match_key": "INSERT",
                "record_identifier": "INSERT",
                "record_product": "INSERT",
                "rekeyed": "INSERT",
            },
        ),
        _TOLD | {"ensure_month"},
    ),
    Role.RELAY: Rights(
        _all(
            _STAGE,
            _POSITIONS,
            {
                "audit_chain": "SELECT, INSERT",
                "audit_entry": "SELECT",
                "audit_unchained": "SELECT, DELETE",
                "data_key": "SELECT, INSERT",
                "dead_letter": "SELECT, INSERT, UPDATE",
                "dead_letter_action": "INSERT",
                "outbox": "SELECT, INSERT, DELETE",
            },
        ),
        _TOLD,
    ),
    Role.CONSUMER: Rights(_STAGE, _TOLD),
    Role.EMBEDDINGS: Rights(
        _all(
            _STAGE,
            {
                "embedding_due": "SELECT, DELETE",
                "event": "SELECT (event_id, record_id, occurred_at, order_amount, items)",
                "identity_record": "SELECT (record_id, profile_id)",
                "profile_consent": "SELECT",
                "profile_embedding": "SELECT, INSERT, UPDATE, DELETE",
            },
        ),
        _TOLD,
    ),
    Role.WEBHOOKS: Rights(
        _all(
            _STAGE,
            _POSITIONS,
            {
                "webhook": "SELECT, UPDATE (enabled, disabled_at, disabled_reason, dead_in_a_row)",
                "webhook_delivery": "SELECT, INSERT, UPDATE, DELETE",
                "webhook_key": "SELECT",
            },
        ),
        _TOLD,
    ),
    Role.ANALYST: Rights(
        _all(_SCHEMA, _TELLING, _READING, {"outbox": "SELECT (created_at)"}),
        _TOLD | {"review_etag", "constraint_etag"},
    ),
    Role.AUDITOR: Rights(
        _all(
            _SCHEMA,
            _TELLING,
            {
                "audit_chain": "SELECT",
                "audit_entry": "SELECT",
                "audit_unchained": "SELECT",
                "erased_profile": "SELECT",
                "erasure": "SELECT",
                "identity_merge_log": "SELECT (merge_log_id)",
            },
        ),
        _TOLD,
    ),
}

NOBODYS = frozenset(
    (
        "_yoyo_log",
        "_yoyo_version",
        "nothing_rests_on",
        "refuse_change",
        "retention_end",
        "retention_run",
        "yoyo_lock",
    )
)
"""Tables and functions that are the owner's alone, as everything is that nobody declares."""

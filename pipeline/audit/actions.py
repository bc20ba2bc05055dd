"""What the audit log tells, declared once. docs/reference.md is written from `MEANINGS`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from pipeline.errors import BadInput


class Action(StrEnum):
    """What somebody, or the house itself, did."""

    # looks at personal data
    CUSTOMER_READ = "customer.read"
    CUSTOMER_REVEALED = "customer.revealed"
    CUSTOMER_SEARCHED = "customer.searched"
    CUSTOMER_EXPORTED = "customer.exported"
    CUSTOMERS_EXPORTED = "customers.exported"
    DEAD_LETTER_READ = "dead_letter.read"
    # decisions
    IDENTITY_DECIDED = "identity.decided"
    STEWARD_APPROVE = "steward.approve"
    STEWARD_REJECT = "steward.reject"
    STEWARD_ASSIGN = "steward.assign"
    STEWARD_SKIP = "steward.skip"
    STEWARD_SPLIT = "steward.split"
    STEWARD_MERGE = "steward.merge"
    STEWARD_ROLLBACK = "steward.rollback"
    STEWARD_REVOKE = "steward.revoke"
    CUSTOMER_ERASED = "customer.erased"
    # the house
    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_REVOKED = "api_key.revoked"
    WEBHOOK_ADDED = "webhook.added"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_ROTATED = "webhook.rotated"
    WEBHOOK_REMOVED = "webhook.removed"
    DEAD_LETTER_EDITED = "dead_letter.edited"
    DEAD_LETTER_REPLAYED = "dead_letter.replayed"
    DEAD_LETTER_DROPPED = "dead_letter.dropped"
    STAGE_PAUSED = "stage.paused"
    STAGE_RESUMED = "stage.resumed"
    CONFIGURATION_IN_FORCE = "configuration.in_force"
    REPLAY_ACTIVATED = "replay.activated"
    REPLAY_DROPPED = "replay.dropped"
    KEYS_ROTATION_BEGUN = "keys.rotation_begun"
    KEYS_ROTATION_ENDED = "keys.rotation_ended"
    KEYS_RETIRED = "keys.retired"
    RETENTION_ENFORCED = "retention.enforced"
    MIGRATION_APPLIED = "migration.applied"
    AUDIT_BROKEN = "audit.broken"


STEWARD = "steward."
"""The start of the actions of stewards: what follows is the act (pipeline/store/steward_actions.py)."""

MEANINGS: Mapping[Action, str] = {
    Action.CUSTOMER_READ: "Somebody was shown what is known of customers in clear (names, dates, places), identifiers "
    "masked.",
    Action.CUSTOMER_REVEALED: "Somebody was shown the identifiers of customers as they are (`reveal`).",
    Action.CUSTOMER_SEARCHED: "Somebody searched for customers; `profiles` are those that were shown. `details`: by "
    "which fields, never by which values, and whether identifiers were revealed.",
    Action.CUSTOMER_EXPORTED: "Somebody was given all that is known of a customer, in clear.",
    Action.CUSTOMERS_EXPORTED: "Somebody had it written to a file who is whom (`retail-brain export`).",
    Action.DEAD_LETTER_READ: "Somebody looked at the message of a dead letter, its values masked.",
    Action.IDENTITY_DECIDED: "Profiles were merged or split without a steward's asking; the entries of the merge log "
    "are named.",
    Action.STEWARD_APPROVE: "A steward approved a review.",
    Action.STEWARD_REJECT: "A steward rejected a review.",
    Action.STEWARD_ASSIGN: "A steward gave a review to somebody, or to nobody.",
    Action.STEWARD_SKIP: "A steward put a review aside.",
    Action.STEWARD_SPLIT: "A steward took records out of a profile.",
    Action.STEWARD_MERGE: "A steward made profiles one customer.",
    Action.STEWARD_ROLLBACK: "A steward undid merges.",
    Action.STEWARD_REVOKE: "A steward took back what was said.",
    Action.CUSTOMER_ERASED: "A customer was forgotten. Entries of the merge log that are named were cut by it, or were "
    "told of together with those: from then on what they say now is what is to stand.",
    Action.API_KEY_CREATED: "An API key was made. `details`: its scopes and its end.",
    Action.API_KEY_ROTATED: "An API key got another secret. `details`: until when the one before opens.",
    Action.API_KEY_REVOKED: "An API key was ended for good.",
    Action.WEBHOOK_ADDED: "A webhook was added. `details`: its host and types.",
    Action.WEBHOOK_CHANGED: "A webhook was changed, or disabled by the house (actor `webhooks`). `details`: what of "
    "it, and its host where that is new.",
    Action.WEBHOOK_ROTATED: "A webhook got another secret.",
    Action.WEBHOOK_REMOVED: "A webhook was removed.",
    Action.DEAD_LETTER_EDITED: "A dead letter was mended. `details`: the fields, never their values.",
    Action.DEAD_LETTER_REPLAYED: "Dead letters were replayed.",
    Action.DEAD_LETTER_DROPPED: "Dead letters were dropped: their data keys were destroyed.",
    Action.STAGE_PAUSED: "A stage paused itself: too much would have become dead letters.",
    Action.STAGE_RESUMED: "A paused stage was let go on.",
    Action.CONFIGURATION_IN_FORCE: "A stage began to decide by another model or policy.",
    Action.REPLAY_ACTIVATED: "What a replay came to was put in force. `details`: its plan and counts.",
    Action.REPLAY_DROPPED: "A replay's shadow was removed.",
    Action.KEYS_ROTATION_BEGUN: "A rotation of the key ring was begun: from one version, to another.",
    Action.KEYS_ROTATION_ENDED: "A rotation of the key ring came to its end: nothing is left of the one version.",
    Action.KEYS_RETIRED: "A version of the key ring was given up.",
    Action.RETENTION_ENFORCED: "What was due by the rules of retention went, as planned. `details`: how much of "
    "what, and the months.",
    Action.MIGRATION_APPLIED: "The database's schema was brought up to date by a migration.",
    Action.AUDIT_BROKEN: "Who chains the log found that it did not end signed, or lacked a head that had been signed. "
    "`details`: where it ended, and that head.",
}


def actions_of(names: Iterable[str]) -> tuple[Action, ...]:
    """The actions of these names, or that begin so (`customer.*`). Raises BadInput that names the wrong one."""
    found: list[Action] = []
    for name in names:
        start = name.removesuffix("*") if name.endswith(".*") else None
        meant = [a for a in Action if (a == name if start is None else a.startswith(start))]
        if not meant:
            raise BadInput("action", f"{name!r} is none; there are {', '.join(Action)}")
        found += meant
    return tuple(dict.fromkeys(found))

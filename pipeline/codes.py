"""Every reason and error code, declared once.

A reason code says why the pipeline did what it did (on records, decisions, dead letters, metrics);
an error code is what an HTTP caller reads in the error envelope.
"""

from __future__ import annotations

from enum import StrEnum


class ReasonCode(StrEnum):
    """Why an outcome is what it is. `docs/reason-codes.md` is written from `EXPLANATIONS`."""

    # a value is kept out of matching (the event is kept)
    PLACEHOLDER = "placeholder"
    INVALID_PHONE = "invalid_phone"
    INVALID_EMAIL = "invalid_email"
    INVALID_DATE = "invalid_date"
    DATE_IN_FUTURE = "date_in_future"
    INVALID_IDENTIFIER = "invalid_identifier"
    TOO_LONG = "too_long"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_VALUE = "invalid_value"
    UNUSUAL_CHARACTERS = "unusual_characters"
    UNKNOWN_PURPOSE = "unknown_purpose"
    # an event that names nobody is stored and not linked
    NO_IDENTITY = "no_identity"
    # matching
    EXACT_MATCH = "exact_match"
    FUZZY_MATCH = "fuzzy_match"
    NEW_CUSTOMER = "new_customer"
    KNOWN_RECORD = "known_record"
    SCORE_IN_REVIEW_BAND = "score_in_review_band"
    SCORE_BELOW_REVIEW = "score_below_review"
    VETO_EXCLUSIVE_IDENTIFIER = "veto_exclusive_identifier"
    VETO_CONTRADICTING_PERSON = "veto_contradicting_person"
    INCOHERENT_CLUSTER = "incoherent_cluster"
    CANNOT_LINK = "cannot_link"
    MUST_LINK = "must_link"
    BLOCK_OVERFULL = "block_overfull"
    SHARED_IDENTIFIER = "shared_identifier"
    MERGE_NO_LONGER_HOLDS = "merge_no_longer_holds"
    NEIGHBOURHOOD_TOO_LARGE = "neighbourhood_too_large"
    TOO_MANY_FOR_ONE = "too_many_for_one"
    BETTER_CLUSTER = "better_cluster"
    ROLLBACK = "rollback"
    REPROCESSED = "reprocessed"
    # dead letters
    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown_schema"
    SCHEMA_VIOLATION = "schema_violation"
    MISSING_FIELD = "missing_field"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    TOO_MANY_IDENTIFIERS = "too_many_identifiers"
    DATA_KEY_MISSING = "data_key_missing"
    RAW_EVENT_MISSING = "raw_event_missing"
    PROCESSING_FAILED = "processing_failed"


EXPLANATIONS: dict[ReasonCode, str] = {
    ReasonCode.PLACEHOLDER: "A stand-in value (0000000000, test@test.com, n/a, 1900-01-01) names nobody.",
    ReasonCode.INVALID_PHONE: "Not a possible phone number in the event's country or the default region.",
    ReasonCode.INVALID_EMAIL: "Not an e-mail address: it needs one @ with text on both sides and a domain.",
    ReasonCode.UNUSUAL_CHARACTERS: "Control characters or emoji in a name: they are left out, the rest counts.",
    ReasonCode.INVALID_DATE: "Not a date in any known form; send YYYY-MM-DD.",
    ReasonCode.DATE_IN_FUTURE: "A date of birth cannot lie in the future.",
    ReasonCode.INVALID_IDENTIFIER: "Empty once control characters and spaces are taken away.",
    ReasonCode.TOO_LONG: "Longer than the field allows.",
    ReasonCode.UNKNOWN_FIELD: "No trait of this name is known; it is stored with the raw event only.",
    ReasonCode.INVALID_VALUE: "Not of the form the field has; it is stored with the raw event only.",
    ReasonCode.UNKNOWN_PURPOSE: "The policy declares no purpose of that name, so that nothing is granted by it; "
    "what was said is stored with the raw event only.",
    ReasonCode.NO_IDENTITY: "No usable identifier, and no name with a date of birth or a place: it tells nobody apart.",
    ReasonCode.EXACT_MATCH: "Shares an identifier with the profile.",
    ReasonCode.FUZZY_MATCH: "No shared identifier, but names, dates and addresses agree well enough.",
    ReasonCode.NEW_CUSTOMER: "Nobody stored is likely enough to be this person.",
    ReasonCode.KNOWN_RECORD: "The same identifiers and traits were seen before.",
    ReasonCode.SCORE_IN_REVIEW_BAND: "Too likely to ignore, not likely enough to merge: a steward decides.",
    ReasonCode.SCORE_BELOW_REVIEW: "The evidence is not enough to ask a steward.",
    ReasonCode.VETO_EXCLUSIVE_IDENTIFIER: "Both hold a different value of an identifier a person has once.",
    ReasonCode.VETO_CONTRADICTING_PERSON: "Given name and date of birth both contradict, or one is Jr, the other Sr.",
    ReasonCode.INCOHERENT_CLUSTER: "Two records agree, but the customers as wholes do not.",
    ReasonCode.CANNOT_LINK: "A steward or a rollback said these are two people.",
    ReasonCode.MUST_LINK: "A steward said these are one person.",
    ReasonCode.BLOCK_OVERFULL: "So many records share this key that it no longer tells people apart; it was skipped.",
    ReasonCode.SHARED_IDENTIFIER: "More people share this identifier than the policy allows: it says less.",
    ReasonCode.MERGE_NO_LONGER_HOLDS: "What held a large customer together fell: a steward decides on the split.",
    ReasonCode.NEIGHBOURHOOD_TOO_LARGE: "Too many records hang together here to merge without a steward.",
    ReasonCode.TOO_MANY_FOR_ONE: "Together they would hold more identifiers of one type than a customer may have.",
    ReasonCode.BETTER_CLUSTER: "Better evidence came: the record moved to the customer it fits best.",
    ReasonCode.ROLLBACK: "A merge was undone.",
    ReasonCode.REPROCESSED: "Stored events were decided again by later logic, and what that came to was put in force.",
    ReasonCode.UNDECODABLE: "Neither Confluent-framed Avro nor a JSON object.",
    ReasonCode.UNKNOWN_SCHEMA: "The schema id in the message is not one the pipeline knows.",
    ReasonCode.SCHEMA_VIOLATION: "A field has the wrong type or form.",
    ReasonCode.MISSING_FIELD: "A required field is absent.",
    ReasonCode.PAYLOAD_TOO_LARGE: "The payload is over 256 KiB.",
    ReasonCode.TOO_MANY_IDENTIFIERS: "More identifiers than one event may hold.",
    ReasonCode.DATA_KEY_MISSING: "The key that opens the event was destroyed: its person is to be forgotten.",
    ReasonCode.RAW_EVENT_MISSING: "The raw event is no longer stored, so that it cannot be normalized anew.",
    ReasonCode.PROCESSING_FAILED: "This message alone makes processing fail, again and again.",
}


AUTOMATIC = "automatic"
"""What the merge log says of a merge that nobody asked for, where of any other it has the reason that was given."""


class ErrorCode(StrEnum):
    """What the error envelope of the gateway says."""

    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    NOT_FOUND = "NOT_FOUND"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    CONFLICT = "CONFLICT"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    POSITION_GONE = "POSITION_GONE"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"

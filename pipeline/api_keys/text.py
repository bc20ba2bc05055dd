"""API keys as people read and write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pipeline.api_keys.stored import Issued, StoredKey
from pipeline.errors import BadInput

_SPAN = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_COLUMNS = ("id", "name", "scopes", "state", "expires", "a minute", "created", "by", "last used")


def span_of(text: str, name: str) -> timedelta:
    """A span such as 30m, 24h or 90d. Raises BadInput that names what it is of."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise BadInput(name, "send a span such as 30m, 24h or 90d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def end_of(text: str, now: datetime) -> datetime:
    """A time, or a span from now on. Raises BadInput."""
    if _SPAN.fullmatch(text):
        return now + span_of(text, "expires")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("expires", "send a time such as 2027-01-31T12:00:00Z, or a span such as 90d") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def state_of(key: StoredKey, now: datetime) -> str:
    """in force, in grace (its former secret opens too), expired or revoked."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    return "in grace" if key.former_until is not None and key.former_until > now else "in force"


def as_rows(keys: Sequence[StoredKey], now: datetime) -> list[dict[str, object]]:
    """Keys for machines; nothing of their secrets."""
    return [
        {
            "id": key.key_id,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "state": state_of(key, now),
            "former_until": key.former_until,
            "rate_limit_per_minute": key.per_minute,
            "created_at": key.created_at,
            "created_by": key.created_by,
            "expires_at": key.expires_at,
            "rotated_at": key.rotated_at,
            "revoked_at": key.revoked_at,
            "last_used_at": key.last_used_at,
        }
        for key in keys
    ]


def table(keys: Sequence[StoredKey], now: datetime) -> str:
    """Keys for people."""
    if not keys:
        return "no API keys in the database; make one with: retail-brain api-keys create NAME --scope read\n"
    rows = [
        (
            key.key_id,
            key.name,
            " ".join(sorted(key.scopes)),
            state_of(key, now),
            _when(key.expires_at, "never"),
            "default" if key.per_minute is None else str(key.per_minute or "no limit"),
            _when(key.created_at, ""),
            key.created_by,
            _when(key.last_used_at, "never"),
        )
        for key in keys
    ]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in (_COLUMNS, *rows))
    return "".join(f"{line}\n" for line in lines)


def issued_row(issued: Issued) -> dict[str, object]:
    """A key made or rotated, with its secret."""
    return {
        "id": issued.key_id,
        "name": issued.name,
        "key": issued.secret,
        "expires_at": issued.expires_at,
        "former_until": issued.former_until,
    }


def told(issued: Issued) -> str:
    """What to know of a key made or rotated, beside the key."""
    lines = [f"{issued.name} ({issued.key_id}) opens until: {_when(issued.expires_at, 'revoked')}"]
    if issued.former_until is not None:
        lines.append(f"the secret before opens until: {_when(issued.former_until, '')}")
    return "".join(f"{line}\n" for line in (*lines, "keep the key now: it is shown this once"))


def _when(at: datetime | None, otherwise: str) -> str:
    return otherwise if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

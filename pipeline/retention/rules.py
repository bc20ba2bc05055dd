"""The rules of retention, validated where they are read. docs/retention.md describes the file."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline.configuration import read_yaml
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

_SPAN = re.compile(r"(\d{1,4}) (day|month|year)s?")
_LEAST_DAYS = 30
"""What is younger may be on its way still: in topics, dead letters, batches that are tried again."""
NEVER = "-infinity"
"""The end of what is kept for ever, as Postgres reads it: nothing is older."""


class Span(NamedTuple):
    """How long something is kept."""

    months: int
    days: int

    def before(self, now: datetime) -> datetime:
        """The midnight (UTC) before which what is so old by now came."""
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
            days=self.days
        )
        year, month = divmod(day.year * 12 + day.month - 1 - self.months, 12)
        return day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))


def _span(text: object) -> Span | None:
    if text is None or text == "none":
        return None
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("write a number of days, months or years, such as 36 months, or none")
    number, unit = int(found[1]), found[2]
    if number * {"day": 1, "month": 28, "year": 365}[unit] < _LEAST_DAYS and (number, unit) != (1, "month"):
        raise ValueError(f"write at least {_LEAST_DAYS} days: what is younger may be on its way still")
    return Span(0, number) if unit == "day" else Span(number * (12 if unit == "year" else 1), 0)


Kept = Annotated[Span | None, BeforeValidator(_span)]
EventType = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class Rules(BaseModel):
    """`events` by type, `default` for all others; `payload` is the body of an event, whatever its type; `customers` are
    those of whom nothing was seen for so long. None is for ever."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: Mapping[EventType, Kept] = {}
    payload: Kept = None
    customers: Kept = None

    def ends(self, now: datetime) -> Ends:
        """Until when what is due came."""
        types = sorted(self.events.keys() - {"default"})
        return Ends(
            tuple(types),
            tuple(_end(self.events[name], now) for name in types),
            _end(self.events.get("default"), now),
            _end(self.payload, now),
            _end(self.customers, now),
        )


def _end(span: Span | None, now: datetime) -> str:
    return NEVER if span is None else span.before(now).isoformat()


class Ends(NamedTuple):
    """What came before is due: of each of `types` its own end, of other events `otherwise`. ISO 8601, or NEVER."""

    types: tuple[str, ...]
    ends: tuple[str, ...]
    otherwise: str
    bodies: str
    customers: str

    @property
    def latest(self) -> str:
        """The latest end of events and bodies."""
        return max((e for e in (*self.ends, self.otherwise, self.bodies) if e != NEVER), default=NEVER)


def load_rules(settings: Settings) -> Rules:
    """The rules of RB_RETENTION_FILE; without one everything is kept. Raises ConfigurationError."""
    if settings.retention_file is None:
        return Rules()
    path = settings.retention_file
    try:
        return Rules.model_validate(read_yaml(path.read_text("utf-8"), str(path)) or {})
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path} cannot be read as UTF-8 text: {exc}") from exc
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in exc.errors())
        raise ConfigurationError(f"{path}: {faults} (docs/retention.md describes the file)") from exc

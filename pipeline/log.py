"""Structured logs to stdout: one JSON object a line, or a readable form on a terminal."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from pipeline.settings import Settings

_AUDIT = "audit"
_FRAMES, _MOST_PLACES = 20, 60


def _to_json(value: object, **_: object) -> str:
    return orjson.dumps(value, default=str).decode()


def _where(_logger: object, _method: str, event: EventDict) -> EventDict:
    """An exception as its type and the places it came through: its text may quote a customer's data."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    places: list[str] = []
    while isinstance(error, BaseException) and len(places) < _MOST_PLACES:
        places.append(type(error).__name__)
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        places += [f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno} {f.name}" for f in frames]
        error = error.__cause__ or error.__context__
    return {**event, "exception": places} if places else event


def _for_people(colors: bool) -> list[Processor]:
    """One readable line, an exception's places below it."""

    def lines(_logger: object, _method: str, event: EventDict) -> EventDict:
        places = event.get("exception")
        return {**event, "exception": "\n".join(places)} if places else event

    return [_where, lines, structlog.dev.ConsoleRenderer(colors=colors)]


def _renderers(terminal: bool) -> list[Processor]:
    if terminal:
        return _for_people(colors=True)
    return [
        _where,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(serializer=_to_json),
    ]


def configure(settings: Settings, service: str) -> None:
    """Send this process's logs, those of the standard library included, to stdout at `settings.log_level`.

    Every line carries timestamp (UTC, ISO 8601), level, service and message. Call once, at a process's start.
    """
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _method, event: {"service": service, **event},
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(sys.stdout.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger(_AUDIT).setLevel(logging.INFO)


def to_stderr() -> None:
    """Logs of a short command, warnings and worse, for people and on stderr: stdout is for what it prints."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        # asked for at each line: whoever runs a command inside a process of theirs may put stderr elsewhere
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        processors=[structlog.processors.add_log_level, *_for_people(colors=False)],
    )


def get_audit_logger() -> FilteringBoundLogger:
    """For who did what that has to be known afterwards: told as `info`, for nothing is amiss, at every log level."""
    wrapper = structlog.make_filtering_bound_logger(logging.INFO)
    return cast(FilteringBoundLogger, structlog.wrap_logger(logging.getLogger(_AUDIT), wrapper_class=wrapper))


def get_logger() -> FilteringBoundLogger:
    """A logger: `get_logger().info("batch committed", events=500)`. Counts and ids, never identities."""
    return cast(FilteringBoundLogger, structlog.get_logger())

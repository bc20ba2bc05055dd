"""Structured logs to stdout: one JSON object a line, or a readable form on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import cast

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import FilteringBoundLogger, Processor

from pipeline.settings import Settings


def _to_json(value: object, **_: object) -> str:
    return orjson.dumps(value, default=str).decode()


def _renderers(terminal: bool) -> list[Processor]:
    if terminal:
        return [structlog.dev.ConsoleRenderer()]
    return [
        # without the frames' local variables: they may hold a customer's data
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=20)),
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


def to_stderr() -> None:
    """Logs of a short command, warnings and worse, for people and on stderr: stdout is for what it prints."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(colors=False)],
    )


def get_logger() -> FilteringBoundLogger:
    """A logger: `get_logger().info("batch committed", events=500)`. Counts and ids, never identities."""
    return cast(FilteringBoundLogger, structlog.get_logger())

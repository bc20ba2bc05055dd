"""A process that starts before its servers waits for them, and says for which, and what would mend it.

The gateway does not wait: it answers at once, with 503 where it needs a server that is away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from infra.doctor import Finding, Look, kafka, postgres, redis_server
from pipeline.log import get_logger
from pipeline.settings import Settings

_LOOK_S = 1.0
_REMIND_S = 10.0

_STAGE = (kafka, postgres)
_CONSUMER = (kafka, redis_server)
NEEDS: Mapping[str, tuple[Look, ...]] = {
    "normalize": _STAGE,
    "resolve": _STAGE,
    "relay": _STAGE,
    "cache": _CONSUMER,
    "recommendations": _CONSUMER,
    "embeddings": (kafka, postgres, redis_server),
    "insights": _CONSUMER,
    "webhooks": _STAGE,
}
"""What each process that waits cannot begin without, by its name."""


def await_servers(
    process: str,
    settings: Callable[[], Settings],
    stop: threading.Event,
    look_s: float = _LOOK_S,
    remind_s: float = _REMIND_S,
) -> Settings | None:
    """The settings by which everything is there that the process needs, once it is; None where it is stopped before.

    They are asked for anew at each look: a stack that starts meanwhile may have other addresses than the last one.
    What is missing is logged when it changes, and every `remind_s` seconds.
    """
    told: tuple[Finding, ...] = ()
    told_at = began = time.monotonic()
    while not stop.is_set():
        found = settings()
        missing = _missing(NEEDS[process], found)
        if not missing:
            if told:
                get_logger().info("everything is there", waited_s=round(time.monotonic() - began, 1))
            return found
        if missing != told or time.monotonic() - told_at >= remind_s:
            _tell(missing)
            told, told_at = missing, time.monotonic()
        stop.wait(look_s)
    return None


def _missing(looks: Iterable[Look], settings: Settings) -> tuple[Finding, ...]:
    return tuple(f for look in looks for f in look(settings) if f.blocks and not f.ok)


def _tell(missing: Iterable[Finding]) -> None:
    for finding in missing:
        get_logger().warning(
            f"waiting for {finding.what}", found=finding.found.strip().partition("\n")[0], mend=finding.mend
        )

"""Free loopback ports: the well-known ones if nobody has them."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping

from infra.embedded.server import LOOPBACK
from pipeline.errors import ServerFailed

# below the range that outgoing connections take theirs from: a client that knocks at a stopped server's port
# there may be handed that very port, and keep the server from coming back
LOW, HIGH = 20_000, 32_000


def free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(preferred: Mapping[str, int]) -> dict[str, int]:
    """A free port for each name: the preferred one where it is free (0: no preference), else any other.

    Raises ServerFailed when none is to be had.
    """
    chosen: dict[str, int] = {}
    for name, first in preferred.items():
        others = random.SystemRandom().sample(range(LOW, HIGH), 200)
        candidates = (
            port for port in (first, *others) if port and port not in chosen.values() and free(port)
        )
        port = next(candidates, None)
        if port is None:
            raise ServerFailed(f"{name}: no free port on {LOOPBACK} between {LOW} and {HIGH}.")
        chosen[name] = port
    return chosen

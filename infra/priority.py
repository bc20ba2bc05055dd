"""How a process gives way to others when the processor is short."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def give_way(niceness: int) -> None:
    """Make this process nicer by `niceness` (0 to 19; 0 changes nothing), and the session it leads.

    Linux weighs sessions against each other first, and each process of the house is one: so both have to be nice.
    """
    if niceness == 0:
        return
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # no such file where sessions are not grouped
            Path("/proc/self/autogroup").write_text(str(niceness))

"""How a process gives way to others when the processor is short."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def give_way(niceness: int, pid: int = 0) -> None:
    """Make a process (0: this one) nicer by `niceness` (0 to 19; 0 changes nothing), and the session it leads.

    Linux weighs sessions against each other first, and each process of the house is one: so both have to be nice.
    """
    if niceness == 0:
        return
    pid = pid or os.getpid()
    with suppress(ProcessLookupError):  # it ended already: whoever waits for it will see
        before = os.getpriority(os.PRIO_PROCESS, pid)
        os.setpriority(os.PRIO_PROCESS, pid, min(19, before + niceness))
        if os.getsid(pid) == pid:
            with suppress(OSError):  # no such file where sessions are not grouped
                Path(f"/proc/{pid}/autogroup").write_text(str(niceness))

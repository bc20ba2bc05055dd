"""`python -m tests.support.run MODULE`: `main` of a module in a process of its own, as tests start it.

It ends with a status other than 0 where a Kafka client outlives `main`: its threads would run on beside the C
library's exit handlers.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path

from pipeline.settings import settings

_LINGER_S = 1.0


def client_threads() -> list[str]:
    """Names of this process's threads of the Kafka client library; none are seen where there is no /proc."""
    names = []
    for task in Path("/proc/self/task").glob("*"):
        try:
            names.append((task / "comm").read_text().strip())
        except OSError:  # it ended meanwhile
            continue
    return sorted(name for name in names if name.startswith("rdk:"))


def outliving() -> list[str]:
    """Those that are there still after a moment: Linux lists a thread shortly after it was joined."""
    deadline = time.monotonic() + _LINGER_S
    while (left := client_threads()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


if __name__ == "__main__":
    import_module(sys.argv[1]).main(settings())
    if left := outliving():
        sys.exit(f"threads of a Kafka client outlive main: {', '.join(left)}")

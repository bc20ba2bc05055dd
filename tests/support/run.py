"""`python -m tests.support.run MODULE`: `main` of a module in a process of its own, as tests start it.

It ends with a status other than 0 where a Kafka client outlives `main`: its threads would run on beside the C
library's exit handlers.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from pipeline.settings import settings


def client_threads() -> list[str]:
    """Names of this process's threads of the Kafka client library; none are seen where there is no /proc."""
    names = []
    for task in Path("/proc/self/task").glob("*"):
        try:
            names.append((task / "comm").read_text().strip())
        except OSError:  # it ended meanwhile
            continue
    return sorted(name for name in names if name.startswith("rdk:"))


if __name__ == "__main__":
    import_module(sys.argv[1]).main(settings())
    if left := client_threads():
        sys.exit(f"threads of a Kafka client outlive main: {', '.join(left)}")

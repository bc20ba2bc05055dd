"""`python -m tests.support.killed_replay DSN`: builds a shadow, and is killed amid its third page, uncommitted."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from pipeline.replay.build import Builder
from pipeline.replay.reading import Place
from pipeline.store.database import Transaction
from tests.support.pipeline import StagesOnPostgres
from tests.support.reprocessing import Reprocessing


def main(dsn: str) -> None:
    """It never returns."""
    taken, take = [0], Builder._take

    def amid(self: Builder, tx: Transaction, places: Sequence[Place]) -> None:
        take(self, tx, places)
        taken[0] += 1
        if taken[0] == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    Builder._take = amid  # type: ignore[method-assign]
    Reprocessing(StagesOnPostgres(dsn), dsn).build()


if __name__ == "__main__":
    main(sys.argv[1])

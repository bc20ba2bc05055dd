"""`python -m tests.support.killed_rotation DSN RING STEP`: rotates, and is killed amid a page of a step."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from pipeline.rotation import rotate as rotating
from pipeline.rotation.work import WORK, House, Page, Taken
from pipeline.store.database import Transaction
from pipeline.store.key_versions import Step
from tests.support.pipeline import StagesOnPostgres
from tests.support.rotating import Rotator, ring_of


def main(dsn: str, path: Path, step: Step) -> None:
    """It never returns; what the page did is not committed."""
    pages = [0]

    def amid(tx: Transaction, house: House, page: Page) -> Taken:
        taken = WORK[step](tx, house, page)
        pages[0] += 1
        if pages[0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return taken

    rotating.WORK = {**WORK, step: amid}  # type: ignore[misc]
    Rotator(dsn, path, StagesOnPostgres(dsn, keys=ring_of(path))).rotate()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Step(sys.argv[3]))

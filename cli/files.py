"""Files that commands write what is known of people to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.errors import BadInput

STDOUT = Path("-")


@contextmanager
def written(out: Path) -> Iterator[IO[bytes]]:
    """What to write into; `-` is stdout. A file is its owner's alone, and stands under its name once it is whole: until
    then, and where the block raises, one that stood there before does. Raises BadInput where it cannot be opened."""
    if out == STDOUT:
        yield sys.stdout.buffer
        return
    draft = out.with_name(f"{out.name}.part")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as exc:
        raise BadInput("--out", f"{out} cannot be written: {exc.strerror}") from exc
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        draft.replace(out)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise

"""Ends a stack when the process that started it is gone, however it went.

Run as `python -m infra.embedded.guard HOME` with a pipe as stdin that only the starter holds open: the pipe's end
is the starter's. With `--remove`, the folder goes as well.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from infra.embedded.stack import Stack
from infra.python import environment, module


def guard(home: Path, *, remove: bool = False) -> subprocess.Popen[bytes]:
    """Watch over the stack in `home` from now on; close the returned process's stdin to end the stack."""
    command = module("infra.embedded.guard", str(home), *(["--remove"] if remove else []))
    return subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, start_new_session=True)


def main(home: Path, remove: bool) -> None:
    """Wait for the end of stdin, then stop the stack."""
    sys.stdin.buffer.read()
    Stack(home).stop()
    if remove:
        shutil.rmtree(home)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--remove" in sys.argv[2:])

"""A file that a command writes is its owner's alone, and there as a whole or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from cli.files import written
from pipeline.errors import BadInput


def test_it_is_its_owners_alone_whatever_stood_there(tmp_path: Path) -> None:
    out = tmp_path / "audit.ndjson"
    for stood in (out, tmp_path / "audit.ndjson.part"):
        stood.write_bytes(b"before")
        stood.chmod(0o666)
    umask = os.umask(0)
    try:
        with written(out) as file:
            file.write(b"whole")
            assert out.read_bytes() == b"before"
    finally:
        os.umask(umask)
    assert out.read_bytes() == b"whole"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [out]


def test_what_comes_to_nothing_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "audit.ndjson"
    with written(out) as file:
        file.write(b"before")
    with suppress(KeyboardInterrupt), written(out) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert out.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [out]


def test_where_none_can_be_is_said_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^--out: .* cannot be written: No such file or directory"):
        written(tmp_path / "none" / "x").__enter__()

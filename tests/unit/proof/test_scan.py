"""Marked values are found in every form, and where a file is read in parts."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from proof import scan
from proof.marks import MARKS, SHORTEST, Mark, needles
from proof.scan import Finding, Scanner

EMAIL = Mark("email", "Ann.Qx+tag@Zq.example")
FORMS = {
    "UTF-8": b"x Ann.Qx+tag@Zq.example y",
    "UTF-16": "x Ann.Qx+tag@Zq.example y".encode("utf-16-le"),
    "hex": b"\\x" + b"ann.qx+tag@zq.example".hex().upper().encode(),
    "URL": f"?email={quote('Ann.Qx+tag@Zq.example')}".encode(),
}


def found(data: bytes, *marks: Mark) -> set[str]:
    return {f.encoding for f in Scanner(needles(marks or (EMAIL,))).value("here", data)}


@pytest.mark.parametrize("encoding", FORMS)
def test_every_encoding_is_found(encoding: str) -> None:
    assert encoding in found(FORMS[encoding])
    assert encoding in found(FORMS[encoding].swapcase())


def test_utf_16_is_found_in_either_order() -> None:
    assert found("Ann.Qx+tag@Zq.example".encode("utf-16-be")) == {"UTF-16"}


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "abcd"])
@pytest.mark.parametrize("behind", ["", "z", "zy"])
def test_base64_is_found_wherever_it_begins(before: str, behind: str) -> None:
    text = before + EMAIL.sent + behind
    assert any(e.startswith("base64") for e in found(b"--" + base64.b64encode(text.encode()) + b"--"))


def test_phone_numbers_are_found_the_wrong_way_round() -> None:
    phone = Mark("phone", "+1 415 555 2671", ("4155552671",), digits=True)
    assert found(b"1762555514", phone) == {"reversed digits"}


def test_what_is_not_there_is_not_found() -> None:
    assert found(b"ann.qx@zq.example " + os.urandom(10_000)) == set()
    assert found(b"") == set()


def test_what_lies_on_the_border_of_two_parts_is_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_CHUNK", 64)
    (tmp_path / "sub").mkdir()
    for at in range(40, 90):
        (tmp_path / "sub" / "file").write_bytes(b"\0" * at + EMAIL.sent.encode() + b"\0" * 100)
        scanner = Scanner(needles((EMAIL,)))
        assert list(scanner.tree(tmp_path)) == [Finding("sub/file", "email", "UTF-8")]
        assert (scanner.scanned.files, scanner.scanned.bytes) == (1, at + len(EMAIL.sent) + 100)


def test_names_of_files_count_and_folders_are_left_out(tmp_path: Path) -> None:
    for folder in ("raw", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{EMAIL.sent}.log").touch()
    named = Scanner(needles((EMAIL,))).tree(tmp_path, leave=lambda path: path.name == "raw")
    assert [f.where for f in named] == [f"the name of other/{EMAIL.sent}.log"]


def test_marks_are_long_enough_and_none_holds_another() -> None:
    for mark in MARKS:
        assert any(len(text) >= SHORTEST for text in mark.texts), mark.field
    alone = [m for m in MARKS if not m.field.startswith("payload")]
    assert not [
        (m.field, o.field) for m in alone for o in alone if m is not o and m.sent.lower() in o.sent.lower()
    ]

"""An exported audit log is checked without the database, and every kind of tampering with the file is found."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from pipeline.audit.breach import Breach, Finding
from pipeline.audit.export import Closing, export
from pipeline.audit.exported import verify_file
from pipeline.audit.signing import Head, PublicKeys
from pipeline.errors import BadInput, NotFound
from pipeline.privacy.keyfile import KeyFile
from pipeline.privacy.keyring import key_ring
from pipeline.store.audit import head_of
from tests.support.audit import AuditLog, tamper
from tests.support.people import ring

KEYS = ring().audit_keys()
NOW = datetime(2026, 2, 1, tzinfo=UTC)
ENTRIES = 9


@pytest.fixture
def log(database: str) -> Iterator[AuditLog]:
    opened = AuditLog(database)
    opened.chain()
    for start in (0, 3, 6):
        opened.write(*range(start + 1, start + 4))
        opened.chain()
    yield opened
    opened.close()


def begins(log: AuditLog) -> int:
    """The place before the first entry that is no migration."""
    ((count,),) = log.rows("SELECT count(*) FROM audit_entry WHERE action = 'migration.applied'")
    return int(count)


@pytest.fixture
def lines(log: AuditLog) -> list[bytes]:
    """The export of nine entries, line by line: the first, the entries, the last."""
    written = io.BytesIO()
    count, head = export(log.database, ring().audit_signer, written, NOW, begins(log))
    assert (count, head) == (ENTRIES, log.chain())
    found = written.getvalue().splitlines(keepends=True)
    assert len(found) == ENTRIES + 2
    return found


def judged(folder: Path, lines: list[bytes], keys: PublicKeys = KEYS) -> Finding | None:
    path = folder / "audit.ndjson"
    path.write_bytes(b"".join(lines))
    return verify_file(path, keys).checked.finding


def test_an_untouched_file_holds(log: AuditLog, lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "audit.ndjson"
    path.write_bytes(b"".join(lines))
    found = verify_file(path, KEYS)
    assert found.checked.finding is None
    assert (found.checked.seq, found.checked.signed) == (begins(log) + ENTRIES, found.opening.head)
    assert found.opening.after == begins(log)
    entry = orjson.loads(lines[1])["entry"]
    assert entry == {
        "entry_id": begins(log) + 1,
        "at": "2026-01-31T12:00:00.000000Z",
        "actor": "shop-app",
        "action": "customer.read",
        "profiles": ["00000000-0000-0000-0000-000000000001"],
        "objects": [],
        "reason": "asked",
        "request_id": "r-1",
        "api_key": "shop-app",
        "api_key_id": "0123456789abcdef",
        "details": {"number": 1},
    }


def test_the_whole_log_is_exported_from_its_beginning(log: AuditLog, tmp_path: Path) -> None:
    path = tmp_path / "audit.ndjson"
    with path.open("wb") as file:
        count, head = export(log.database, ring().audit_signer, file, NOW)
    found = verify_file(path, KEYS)
    assert (found.checked.finding, found.checked.seq, count) == (None, head.seq, head.seq)


def changed(lines: list[bytes], at: int, old: bytes, new: bytes) -> list[bytes]:
    assert lines[at].count(old) == 1, lines[at]
    return [*lines[:at], lines[at].replace(old, new), *lines[at + 1 :]]


def remade(line: bytes, **fields: object) -> bytes:
    told = {**orjson.loads(line), **fields}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS) + b"\n"


def retyped(lines: list[bytes]) -> list[bytes]:
    seq = orjson.loads(lines[5])["seq"]
    return [*lines[:5], remade(lines[5], seq=str(seq)), *lines[6:]]


def emptied(line: bytes) -> bytes:
    return remade(line, entry={"entry_id": orjson.loads(line)["entry"]["entry_id"]})


def forged(line: bytes) -> bytes:
    told = orjson.loads(line)
    return remade(line, seq=told["seq"] + 1, previous=told["hash"], hash="ab" * 32)


def unsigned(line: bytes) -> bytes:
    told = orjson.loads(line)
    del told["head"]
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS) + b"\n"


def moved(line: bytes) -> bytes:
    return remade(line, after=orjson.loads(line)["after"] - 1)


def reached(line: bytes, other: bytes) -> bytes:
    return remade(line, head=orjson.loads(other)["head"])


def overstated(lines: list[bytes]) -> list[bytes]:
    seq, rest = orjson.loads(lines[0])["head"].split(":", 1)
    return [remade(lines[0], head=f"{int(seq) + 1}:{rest}"), *lines[1:]]


def resigned(lines: list[bytes]) -> bytes:
    closing = Closing.of(orjson.loads(lines[10]))
    return Closing.made(closing.digest, key_ring(KeyFile(1, {1: b"2" * 32})).audit_signer).line()


Tampering = Callable[[list[bytes]], list[bytes]]
TAMPERINGS: dict[str, tuple[Tampering, Breach, int | None]] = {
    "an actor": (lambda ls: changed(ls, 5, b'"actor":"shop-app"', b'"actor":"shop-bpp"'), Breach.CHANGED, 5),
    "white space": (lambda ls: changed(ls, 5, b'"number":5', b'"number": 5'), Breach.CHANGED, 5),
    "a key twice": (
        lambda ls: changed(ls, 5, b'"number":5', b'"number":7,"number":5'),
        Breach.CHANGED,
        5,
    ),
    "one more field": (lambda ls: changed(ls, 5, b'{"entry"', b'{"a":1,"entry"'), Breach.CHANGED, 5),
    "a place as text": (retyped, Breach.CHANGED, 5),
    "a line that is no JSON": (lambda ls: [*ls[:5], b"x" + ls[5], *ls[6:]], Breach.CHANGED, 5),
    "an entry removed": (lambda ls: [*ls[:5], *ls[6:]], Breach.REMOVED, 5),
    "all of an entry but its id": (lambda ls: [*ls[:5], emptied(ls[5]), *ls[6:]], Breach.REMOVED, 5),
    "two entries swapped": (lambda ls: [*ls[:5], ls[6], ls[5], *ls[7:]], Breach.REORDERED, 5),
    "an entry twice": (lambda ls: [*ls[:6], ls[5], *ls[6:]], Breach.REORDERED, 6),
    "an entry at the end twice": (lambda ls: [*ls[:10], ls[9], ls[10]], Breach.REORDERED, 10),
    "one that was never chained": (lambda ls: [*ls[:10], forged(ls[9]), ls[10]], Breach.CHANGED, 10),
    "the end cut off at a signature": (lambda ls: [*ls[:7], ls[10]], Breach.CUT_OFF, 7),
    "the end cut off between signatures": (lambda ls: [*ls[:6], ls[10]], Breach.CUT_OFF, 6),
    "the end cut off with the last line": (lambda ls: ls[:7], Breach.CUT_OFF, 7),
    "the last line cut off": (lambda ls: ls[:10], Breach.CUT_OFF, None),
    "the last byte cut off": (lambda ls: [*ls[:10], ls[10][:-1]], Breach.CHANGED, None),
    "an entry cut off in its middle": (lambda ls: [*ls[:9], ls[9][:-50]], Breach.CHANGED, 9),
    "a signature between taken away": (lambda ls: [*ls[:6], unsigned(ls[6]), *ls[7:]], Breach.CHANGED, None),
    "when it was exported": (lambda ls: changed(ls, 0, b"2026-02-01", b"2026-02-02"), Breach.CHANGED, None),
    "white space in the first line": (
        lambda ls: changed(ls, 0, b'{"after"', b'{ "after"'),
        Breach.CHANGED,
        None,
    ),
    "where it begins": (lambda ls: [moved(ls[0]), *ls[1:]], Breach.REMOVED, 0),
    "another head of the chain": (lambda ls: [reached(ls[0], ls[6]), *ls[1:]], Breach.INSERTED, 7),
    "a head nobody signed": (overstated, Breach.BAD_SIGNATURE, None),
    "something behind the last line": (lambda ls: [*ls, b"\n"], Breach.CHANGED, 10),
    "another key": (lambda ls: [*ls[:10], resigned(ls)], Breach.BAD_SIGNATURE, None),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_is_found(log: AuditLog, lines: list[bytes], tmp_path: Path, what: str) -> None:
    tampering, breach, place = TAMPERINGS[what]
    finding = judged(tmp_path, tampering(lines))
    assert finding is not None
    assert (finding.breach, finding.seq) == (breach, None if place is None else begins(log) + place)


def test_no_byte_can_be_another(lines: list[bytes], tmp_path: Path) -> None:
    """Each byte of the first line, an entry, a signed entry and the last line."""
    for at in (0, 5, 6, 10):
        for place in range(len(lines[at])):
            line = bytearray(lines[at])
            line[place] ^= 1
            try:
                found = judged(tmp_path, [*lines[:at], bytes(line), *lines[at + 1 :]])
            except BadInput:  # it no longer begins as an export
                assert at == 0
            else:
                assert found is not None, (at, place)


def cut(log: AuditLog, behind: int) -> None:
    tamper(
        log.dsn,
        f"DELETE FROM audit_entry WHERE entry_id IN (SELECT entry_id FROM audit_chain WHERE seq > {behind})",
        f"DELETE FROM audit_chain WHERE seq > {behind}",
    )


def exported(log: AuditLog, path: Path, after: int, now: datetime) -> Path:
    with path.open("wb") as file:
        export(log.database, ring().audit_signer, file, now, after)
    return path


def head_at(log: AuditLog, seq: int) -> Head:
    query = (
        "SELECT hash, (extract(epoch FROM signed_at) * 1000000)::bigint, key_version, signature FROM audit_chain "
        "WHERE seq = %s"
    )
    ((hash_, *signed),) = log.rows(query, seq)
    head = head_of(seq, hash_, tuple(signed))
    assert head is not None
    return head


def test_a_file_follows_on_the_head_that_it_begins_behind(log: AuditLog, tmp_path: Path) -> None:
    """So exports that were made one behind the other are one chain."""
    seq = begins(log) + 6
    kept = head_at(log, seq)
    whole = verify_file(exported(log, tmp_path / "whole", seq, NOW), KEYS, [kept])
    assert (whole.checked.findings, whole.outside) == ((), ())
    cut(log, begins(log) + 3)
    log.restart()
    log.write(1, 2, 3)
    log.chain()
    log.write(7, 8, 9)
    log.chain()
    path = exported(log, tmp_path / "anew", seq, NOW)
    assert verify_file(path, KEYS).checked.findings == ()
    (found,) = verify_file(path, KEYS, [kept]).checked.findings
    assert (found.breach, found.seq) == (Breach.REWRITTEN, seq)


def test_a_file_reaches_what_was_signed_before_it_was_exported(log: AuditLog, tmp_path: Path) -> None:
    kept, end = log.chain(), begins(log) + 6
    cut(log, end)
    path = exported(log, tmp_path / "cut", 0, kept.at + timedelta(hours=1))
    assert verify_file(path, KEYS).checked.findings == ()
    found = verify_file(path, KEYS, [kept])
    (finding,) = found.checked.findings
    assert (finding.breach, finding.seq, found.outside) == (Breach.CUT_OFF, end + 1, ())


@pytest.mark.parametrize("seconds", [-3600, 0, 50])
def test_heads_that_a_file_says_nothing_of_are_told(log: AuditLog, tmp_path: Path, seconds: int) -> None:
    """Of places before it, and signed after it was exported, or so shortly before that it may not have been there."""
    before, later, after, end = head_at(log, begins(log)), log.chain(), begins(log) + 3, begins(log) + 6
    cut(log, end)
    path = exported(log, tmp_path / "part", after, later.at + timedelta(seconds=seconds))
    found = verify_file(path, KEYS, [before, head_at(log, after), head_at(log, end), later])
    assert found.checked.findings == ()
    assert found.outside == (before, later)


def test_a_file_of_another_house_is_told(lines: list[bytes], tmp_path: Path) -> None:
    other = key_ring(KeyFile(1, {1: b"2" * 32})).audit_keys()
    finding = judged(tmp_path, lines, other)
    assert finding is not None
    assert finding.breach is Breach.BAD_SIGNATURE
    finding = judged(tmp_path, lines, {2: KEYS[1]})
    assert finding is not None
    assert "version 1" in finding.detail


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    for lines in ([], [b"x\n"], [b"[]\n"], [b'{"format":2}\n'], [b"{}\n"]):
        with pytest.raises(BadInput, match=r"^file: .* does not begin as an export does"):
            judged(tmp_path, lines)
    with pytest.raises(BadInput, match=r"^file: .* cannot be read"):
        verify_file(tmp_path / "none", KEYS)


def test_nothing_behind_a_place_is_no_export(log: AuditLog) -> None:
    for after in (log.chain().seq, 10_000):
        with pytest.raises(NotFound, match=f"nothing is chained behind {after}"):
            export(log.database, ring().audit_signer, io.BytesIO(), NOW, after)


def test_a_log_that_was_cut_off_is_not_exported(log: AuditLog, database: str) -> None:
    tamper(database, f"DELETE FROM audit_chain WHERE seq > {begins(log) + 5}")
    with pytest.raises(BadInput, match="its end is not signed"):
        export(log.database, ring().audit_signer, io.BytesIO(), NOW)


def test_an_export_of_a_log_that_was_tampered_with_says_so(
    log: AuditLog, database: str, tmp_path: Path
) -> None:
    seq = begins(log) + 5
    tamper(
        database,
        f"DELETE FROM audit_entry WHERE entry_id = (SELECT entry_id FROM audit_chain WHERE seq = {seq})",
    )
    path = tmp_path / "audit.ndjson"
    with path.open("wb") as file:
        export(log.database, ring().audit_signer, file, NOW)
    finding = verify_file(path, KEYS).checked.finding
    assert finding is not None
    assert (finding.breach, finding.seq) == (Breach.REMOVED, seq)


def test_a_dozen_lines_of_anybodys_check_the_hashes(lines: list[bytes]) -> None:
    """As docs/audit.md says: with nothing of this house."""
    previous = json.loads(lines[0])["previous"]
    for line in lines[1:-1]:
        told = json.loads(line)
        entry = json.dumps(told["entry"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        hashed = hashlib.sha256(bytes.fromhex(previous) + entry.encode())
        assert (told["previous"], told["hash"]) == (previous, hashed.hexdigest())
        previous = told["hash"]
    assert json.loads(lines[-1])["sha256"] == hashlib.sha256(b"".join(lines[:-1])).hexdigest()

"""The audit log's chain on a real Postgres: nobody changes it, and who does so all the same is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import psycopg
import pytest
from structlog.testing import capture_logs

from pipeline import metrics
from pipeline.audit import chaining
from pipeline.audit.breach import Breach
from pipeline.audit.chain import canonical, link_hash
from pipeline.audit.chaining import Chainer
from pipeline.audit.signing import Head
from pipeline.audit.verification import verify_stored
from pipeline.errors import BadInput, RetryLater
from pipeline.privacy.keyfile import KeyFile
from pipeline.privacy.keyring import key_ring
from pipeline.store.audit import document
from pipeline.store.database import Database
from tests.support.audit import AuditLog, tamper
from tests.support.people import ring


@pytest.fixture
def log(database: str) -> Iterator[AuditLog]:
    opened = AuditLog(database)
    yield opened
    opened.close()


def chained(log: AuditLog, batches: Sequence[int] = (4, 4, 4)) -> Head:
    """So many entries, chained batch by batch behind the migrations; the head."""
    log.chain()
    number = 0
    for count in batches:
        log.write(*range(number + 1, number + count + 1))
        number += count
        log.chain()
    return log.chain()


def place(log: AuditLog, number: int) -> int:
    """Where the entry of a number stands."""
    ((seq,),) = log.rows(
        "SELECT seq FROM audit_chain JOIN audit_entry USING (entry_id) WHERE details @> %s::jsonb",
        f'{{"number": {number}}}',
    )
    return int(seq)


def entry_at(log: AuditLog, seq: int) -> int:
    ((entry_id,),) = log.rows("SELECT entry_id FROM audit_chain WHERE seq = %s", seq)
    return int(entry_id)


def test_an_untouched_chain_holds(log: AuditLog) -> None:
    head = chained(log)
    found = log.verify(head)
    assert found.findings == ()
    assert (found.entries, found.head) == (head.seq, head)
    ((entries,),) = log.rows("SELECT count(*) FROM audit_entry")
    assert entries == head.seq
    assert not log.rows("SELECT FROM audit_unchained")


def test_of_a_fresh_house_every_migration_is_told(log: AuditLog) -> None:
    log.chain()
    told = {name for (names,) in log.rows("SELECT objects FROM audit_entry") for name in names}
    applied = {f"migration:{name}" for (name,) in log.rows("SELECT migration_id FROM _yoyo_migration")}
    assert told == applied


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_entry SET actor = 'ben'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "UPDATE audit_chain SET seq = seq + 1000",
        "DELETE FROM audit_chain",
        "TRUNCATE audit_chain",
        "UPDATE audit_unchained SET since = 'infinity'",
        "TRUNCATE audit_unchained",
    ],
)
def test_nobody_changes_it(log: AuditLog, change: str) -> None:
    chained(log)
    log.write(13)
    with pytest.raises(psycopg.errors.RestrictViolation, match="the table is immutable"):
        log.rows(change)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_immutable",
        "ALTER TABLE audit_chain DISABLE TRIGGER ALL",
        "ALTER TABLE audit_unchained ENABLE REPLICA TRIGGER audit_unchained_immutable",
        "DROP TRIGGER audit_entry_no_truncate ON audit_entry",
        "ALTER TRIGGER erasure_immutable ON erasure RENAME TO another",
    ],
)
def test_a_guard_that_is_off_is_told(log: AuditLog, database: str, change: str) -> None:
    chained(log)
    assert log.verify().findings == ()
    tamper(database, change)
    found = log.verify().findings
    assert {f.breach for f in found} == {Breach.UNGUARDED}
    assert len(found) == (2 if "ALL" in change else 1)


CHANGES = [
    "actor = 'ben'",
    "at = at + interval '1 microsecond'",
    "at = at - interval '4051 years'",
    "at = 'infinity'",
    "action = 'customer.revealed'",
    "profiles = '{}'",
    "objects = '{review:1}'",
    "reason = NULL",
    "request_id = 'r-0'",
    "api_key = NULL",
    "api_key_id = 'another'",
    "details = '{}'",
    """details = '{"number": 6.0}'""",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_entry_is_named(log: AuditLog, database: str, change: str) -> None:
    chained(log)
    seq = place(log, 6)
    tamper(database, f"UPDATE audit_entry SET {change} WHERE entry_id = {entry_at(log, seq)}")
    (found,) = log.verify().findings
    gone = change == "at = 'infinity'"  # no time that could be read
    assert (found.breach, found.seq) == (Breach.REMOVED if gone else Breach.CHANGED, seq)


@pytest.mark.parametrize("change", ["hash", "previous"])
def test_a_changed_place_in_the_chain_is_named(log: AuditLog, database: str, change: str) -> None:
    chained(log)
    seq = place(log, 6)
    tamper(database, f"UPDATE audit_chain SET {change} = sha256('x') WHERE seq = {seq}")
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.CHANGED, seq)


def test_a_removed_entry_is_named(log: AuditLog, database: str) -> None:
    chained(log)
    seq = place(log, 6)
    tamper(database, f"DELETE FROM audit_entry WHERE entry_id = {entry_at(log, seq)}")
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.REMOVED, seq)


@pytest.mark.parametrize("renumbered", [False, True])
def test_an_entry_removed_with_its_place_is_named(log: AuditLog, database: str, renumbered: bool) -> None:
    chained(log)
    seq = place(log, 6)
    tamper(
        database,
        f"DELETE FROM audit_entry WHERE entry_id = {entry_at(log, seq)}",
        f"DELETE FROM audit_chain WHERE seq = {seq}",
        *([f"UPDATE audit_chain SET seq = -seq WHERE seq > {seq}"] if renumbered else []),
        *(["UPDATE audit_chain SET seq = -seq - 1 WHERE seq < 0"] if renumbered else []),
    )
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.REMOVED, seq)


def swapped(column: str, one: int, other: int) -> list[str]:
    return [
        f"CREATE TEMP TABLE held AS SELECT seq, {column} AS held FROM audit_chain WHERE seq IN ({one}, {other})",
        f"UPDATE audit_chain SET {column} = -seq WHERE seq IN ({one}, {other})",
        f"UPDATE audit_chain c SET {column} = h.held FROM held h "
        f"WHERE c.{column} = -({one} + {other} - h.seq) AND c.{column} < 0",
        "DROP TABLE held",
    ]


@pytest.mark.parametrize("other", [7, 11])
@pytest.mark.parametrize("column", ["seq", "entry_id"])
def test_two_that_were_swapped_are_named(log: AuditLog, database: str, column: str, other: int) -> None:
    chained(log)
    one, two = place(log, 6), place(log, other)
    tamper(database, *swapped(column, one, two))
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.REORDERED, one)


def test_two_entries_whose_contents_were_swapped_are_named(log: AuditLog, database: str) -> None:
    chained(log)
    one, two = (entry_at(log, place(log, n)) for n in (6, 7))
    identity = "ALTER TABLE audit_entry ALTER entry_id DROP IDENTITY"
    change = "UPDATE audit_entry SET entry_id = {} WHERE entry_id = {}"
    tamper(database, identity, change.format(0, one), change.format(one, two), change.format(two, 0))
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.REORDERED, place(log, 7))


FORGED = (
    "INSERT INTO audit_entry (entry_id, at, actor, action, profiles, objects, details) OVERRIDING SYSTEM VALUE "
    "VALUES (9999, '2026-01-31 12:00+00', 'ben', 'customer.read', '{}', '{}', '{}')"
)


def forged_place(log: AuditLog, seq: int, hash_: bytes) -> tuple[str, Sequence[object]]:
    ((previous,),) = log.rows("SELECT hash FROM audit_chain WHERE seq = %s", seq - 1)
    values = (seq, 9999, previous, hash_)
    return "INSERT INTO audit_chain (seq, entry_id, previous, hash) VALUES (%s, %s, %s, %s)", values


def true_hash(log: AuditLog, seq: int) -> bytes:
    """The hash that the forged entry has at a place."""
    at = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp() * 1_000_000)
    entry = document(9999, (at, "ben", "customer.read", [], [], None, None, None, None, "{}"))
    assert entry is not None
    ((previous,),) = log.rows("SELECT hash FROM audit_chain WHERE seq = %s", seq - 1)
    return link_hash(previous, canonical(entry))


@pytest.mark.parametrize("fits", [False, True])
def test_one_put_into_the_middle_is_named(log: AuditLog, database: str, fits: bool) -> None:
    chained(log)
    seq = place(log, 6)
    forged = forged_place(log, seq, true_hash(log, seq) if fits else b"x" * 32)
    tamper(
        database,
        FORGED,
        f"UPDATE audit_chain SET seq = -seq WHERE seq >= {seq}",
        "UPDATE audit_chain SET seq = -seq + 1 WHERE seq < 0",
        forged,
    )
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.INSERTED, seq)


def test_one_put_in_past_the_log_is_named(log: AuditLog, database: str) -> None:
    chained(log)
    tamper(database, FORGED)
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.NEVER_QUEUED, None)
    assert "9999" in found.detail


def made_anew(log: AuditLog, database: str, seq: int) -> None:
    """Change the entry of a place and make all hashes from there on anew, as who knows how they are made can."""
    tamper(database, f"UPDATE audit_entry SET actor = 'ben' WHERE entry_id = {entry_at(log, seq)}")
    rows = log.rows(
        "SELECT seq, entry_id, (extract(epoch FROM at) * 1000000)::bigint, actor, action, profiles, objects, reason, "
        "request_id, api_key, api_key_id, details::text FROM audit_chain JOIN audit_entry USING (entry_id) "
        "WHERE seq >= %s ORDER BY seq",
        seq,
    )
    ((previous,),) = log.rows("SELECT hash FROM audit_chain WHERE seq = %s", seq - 1)
    changes: list[tuple[str, Sequence[object]]] = []
    for at, entry_id, *fields in rows:
        entry = document(entry_id, tuple(fields))
        assert entry is not None
        made = link_hash(previous, canonical(entry))
        changes.append(
            ("UPDATE audit_chain SET previous = %s, hash = %s WHERE seq = %s", (previous, made, at))
        )
        previous = made
    tamper(database, *changes)


def test_who_makes_the_chain_anew_lacks_the_key(log: AuditLog, database: str) -> None:
    head = chained(log, (4, 4, 4))
    made_anew(log, database, place(log, 6))
    found = log.verify()
    (finding,) = found.findings
    assert (finding.breach, finding.seq) == (Breach.BAD_SIGNATURE, place(log, 8))
    assert found.head is not None
    assert found.head.seq == place(log, 4)
    # without the signatures between, the last one
    tamper(
        database,
        f"UPDATE audit_chain SET signature = NULL, signed_at = NULL, key_version = NULL WHERE seq < {head.seq}",
    )
    (finding,) = log.verify().findings
    assert (finding.breach, finding.seq) == (Breach.BAD_SIGNATURE, head.seq)
    tamper(database, "UPDATE audit_chain SET signature = NULL, signed_at = NULL, key_version = NULL")
    (finding,) = log.verify().findings
    assert (finding.breach, finding.seq) == (Breach.CUT_OFF, head.seq + 1)


def test_what_who_holds_the_key_makes_anew_is_found_by_a_head_that_was_kept(
    log: AuditLog, database: str
) -> None:
    chained(log, (4,))
    kept = log.chain()
    seq = place(log, 3)
    made_anew(log, database, seq)
    ((end, hash_),) = log.rows("SELECT seq, hash FROM audit_chain ORDER BY seq DESC LIMIT 1")
    again = Head.made(end, hash_, datetime.now(UTC), ring().audit_signer)
    again_row = (again.at, again.version, again.signature, end)
    unsigned = "UPDATE audit_chain SET signature = NULL, signed_at = NULL, key_version = NULL"
    tamper(
        database,
        f"{unsigned} WHERE seq BETWEEN {seq} AND {end}",
        ("UPDATE audit_chain SET signed_at = %s, key_version = %s, signature = %s WHERE seq = %s", again_row),
    )
    assert log.verify().findings == ()
    (found,) = log.verify(kept).findings
    assert (found.breach, found.seq) == (Breach.REWRITTEN, kept.seq)


def cut(log: AuditLog, database: str, behind: int) -> None:
    tamper(
        database,
        f"DELETE FROM audit_entry WHERE entry_id IN (SELECT entry_id FROM audit_chain WHERE seq > {behind})",
        f"DELETE FROM audit_chain WHERE seq > {behind}",
    )


def test_an_end_cut_off_between_signatures_is_found(log: AuditLog, database: str) -> None:
    chained(log)
    cut(log, database, place(log, 6))
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.CUT_OFF, place(log, 6) + 1)


def test_an_end_cut_off_at_a_signature_is_found_by_a_head_that_was_kept(log: AuditLog, database: str) -> None:
    kept = chained(log)
    cut(log, database, place(log, 8))
    assert log.verify().findings == ()  # by the database alone nobody can tell
    (found,) = log.verify(kept).findings
    assert (found.breach, found.seq) == (Breach.CUT_OFF, place(log, 8) + 1)


def errors(log: AuditLog) -> list[str]:
    """What is told while all that waits is chained."""
    with capture_logs() as logs:
        log.chain()
    return [str(line.get("known")) for line in logs if line["log_level"] == "error"]


def told_broken(log: AuditLog) -> list[tuple[int, object]]:
    """(place, details) of the entries that say that the chain was found broken."""
    query = (
        "SELECT seq, details FROM audit_chain JOIN audit_entry USING (entry_id) "
        "WHERE action = 'audit.broken' ORDER BY seq"
    )
    return [(seq, details) for seq, details in log.rows(query)]


@pytest.mark.parametrize("restarted", [False, True])
def test_who_chains_notices_that_the_end_was_cut_off(log: AuditLog, database: str, restarted: bool) -> None:
    """Also one that is started anew, by the head that was kept for it; and whoever looks later."""
    kept = chained(log)
    cut(log, database, place(log, 8))
    if restarted:
        log.restart(kept)
    log.write(13)
    assert errors(log) == [str(kept)]
    at = place(log, 8) + 1
    assert told_broken(log) == [(at, {"end": at - 1, "known": str(kept)})]
    log.write(14)
    assert errors(log) == []
    log.restart(log.chain())
    assert errors(log) == []
    found = log.verify()
    (finding,) = found.findings
    assert (finding.breach, finding.seq) == (Breach.BROKEN, at)
    assert str(kept) in finding.detail
    assert found.entries == place(log, 14), "what stands behind it is checked all the same"


def test_who_chains_notices_it_where_all_of_it_is_gone(log: AuditLog, database: str) -> None:
    kept = chained(log)
    tamper(database, "TRUNCATE audit_entry, audit_chain, audit_unchained")
    assert errors(log) == [str(kept)]
    assert told_broken(log) == [(1, {"end": 0, "known": str(kept)})]


UNSIGNED = "UPDATE audit_chain SET signature = NULL, signed_at = NULL, key_version = NULL"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_chain_that_was_made_anew_is_not_signed_for_who_did_it(
    log: AuditLog, database: str, restarted: bool
) -> None:
    """Nor does what comes behind it hide that: the first entry that is chained there says so, for good."""
    head = chained(log)
    made_anew(log, database, place(log, 6))
    tamper(database, f"{UNSIGNED} WHERE seq >= {place(log, 6)}")
    if restarted:
        log.restart()
    log.write(13)
    assert len(errors(log)) == 1
    ((at, details),) = told_broken(log)
    assert at == head.seq + 1
    assert details == {"end": head.seq} | ({} if restarted else {"known": str(head)})
    (finding,) = log.verify().findings
    assert (finding.breach, finding.seq) == (Breach.BROKEN, at)


def test_a_signature_that_nobody_made_is_none(log: AuditLog, database: str) -> None:
    head = chained(log)
    tamper(database, f"UPDATE audit_chain SET signature = sha512('x') WHERE seq = {head.seq}")
    log.restart()
    assert errors(log) == ["None"]
    (finding,) = log.verify().findings
    assert (finding.breach, finding.seq) == (Breach.BAD_SIGNATURE, head.seq)


def test_what_was_cut_off_and_chained_again_is_found_by_a_head_that_was_kept(
    log: AuditLog, database: str
) -> None:
    """By the database alone nobody can tell: it ends at a signature, and what waits is chained behind it."""
    kept = chained(log)
    behind = place(log, 8)
    tamper(
        database,
        f"DELETE FROM audit_entry WHERE entry_id = {entry_at(log, place(log, 10))}",
        f"UPDATE audit_entry SET actor = 'ben' WHERE entry_id = {entry_at(log, place(log, 11))}",
        "INSERT INTO audit_unchained (entries) SELECT array_agg(c.entry_id ORDER BY seq) "
        f"FROM audit_chain c JOIN audit_entry USING (entry_id) WHERE seq > {behind}",
        f"DELETE FROM audit_chain WHERE seq > {behind}",
    )
    log.restart()
    assert errors(log) == []
    assert log.verify().findings == ()
    (found,) = log.verify(kept).findings
    assert (found.breach, found.seq) == (Breach.CUT_OFF, kept.seq)


def test_a_cut_chain_leaves_its_entries_behind(log: AuditLog, database: str) -> None:
    chained(log)
    tamper(database, f"DELETE FROM audit_chain WHERE seq > {place(log, 8)}")
    found = log.verify().findings
    assert {f.breach for f in found} == {Breach.NEVER_QUEUED}
    assert len(found) == 4


def test_what_waits_for_longer_than_a_minute_is_told(log: AuditLog, database: str) -> None:
    chained(log)
    log.write(13, 14)
    assert log.verify().findings == ()
    tamper(database, "UPDATE audit_unchained SET since = since - interval '61 seconds'")
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.UNCHAINED, None)
    assert found.detail.startswith("2 entries")


def test_what_waits_since_a_time_that_is_still_to_come_is_told(log: AuditLog, database: str) -> None:
    log.write(13)
    tamper(database, "UPDATE audit_unchained SET since = 'infinity'")
    assert {f.breach for f in log.verify().findings} == {Breach.UNCHAINED}
    log.chain()
    assert log.verify().findings == ()


def waiting_told() -> float:
    return metrics.AUDIT_UNCHAINED._value.get()  # type: ignore[no-any-return]


def test_what_waits_is_measured_also_while_somebody_keeps_us_from_chaining_it(
    log: AuditLog, database: str
) -> None:
    chained(log)
    log.restart()
    log.write(13, 14, 15)
    with Database(database, "another") as other, other.transaction() as tx:
        assert tx.row("claim_chain") == (True,)
        assert log.chainer.chain_some() == 0
        assert waiting_told() == 3


def test_what_waits_is_not_counted_for_each_batch_of_many(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To count reads all that waits."""
    chained(log)
    monkeypatch.setattr(chaining, "_MEASURE_S", 3_600.0)
    log.restart()
    log.write(13)
    log.chain()
    assert waiting_told() == 1
    log.write(14, 15)
    log.chain()
    assert waiting_told() == 1
    monkeypatch.setattr(chaining, "_MEASURE_S", 0.0)
    log.chain()
    assert waiting_told() == 0


@pytest.mark.parametrize("at", ["infinity", "-infinity"])
def test_an_entry_of_no_time_keeps_nobody_from_being_chained(log: AuditLog, database: str, at: str) -> None:
    chained(log)
    log.write(13, 14)
    tamper(database, f"""UPDATE audit_entry SET at = '{at}' WHERE details = '{{"number": 13}}'""")
    head = log.chain()
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.REMOVED, head.seq - 1)


def test_an_entry_that_was_removed_before_it_was_chained_leaves_a_hole(log: AuditLog, database: str) -> None:
    chained(log)
    log.write(13, 14)
    tamper(database, """DELETE FROM audit_entry WHERE details = '{"number": 13}'""")
    head = log.chain()
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.REMOVED, head.seq - 1)


def test_an_entry_is_chained_once_whoever_asks_for_it_again(log: AuditLog) -> None:
    head = chained(log)
    log.rows("INSERT INTO audit_unchained (entries) SELECT array_agg(entry_id) FROM audit_entry RETURNING 1")
    assert log.chain() == head
    assert log.verify().findings == ()
    assert not log.rows("SELECT FROM audit_unchained")


def test_a_head_that_nobody_signed_is_no_help(log: AuditLog) -> None:
    head = chained(log)
    another = key_ring(KeyFile(1, {1: b"2" * 32})).audit_signer
    for forged in (
        Head.made(head.seq, head.hash, head.at, another),
        Head(head.seq + 1, head.hash, head.signed_at, head.version, head.signature),
    ):
        with pytest.raises(
            BadInput, match=r"^head: the one at \d+ is not signed by a key that is known here"
        ):
            log.verify(forged)


ROTATED = KeyFile(2, {1: bytes(range(32)), 2: b"2" * 32})


def test_what_was_signed_before_a_rotation_is_checked_by_the_key_of_then(log: AuditLog) -> None:
    chained(log)
    rotated = key_ring(ROTATED)
    log.write(13)
    assert Chainer(log.database, rotated).chain_some() == 1
    assert verify_stored(log.database, rotated).findings == ()
    (found,) = log.verify().findings
    assert (found.breach, found.seq) == (Breach.BAD_SIGNATURE, place(log, 13))
    assert "version 2" in found.detail


def test_behind_a_newer_key_an_older_one_signs_nothing(log: AuditLog, database: str) -> None:
    """Neither a relay that has not read the new key ring yet, nor whoever got hold of the old one."""
    chained(log)
    rotated = key_ring(ROTATED)
    log.write(13)
    Chainer(log.database, rotated).chain_some()
    log.write(14)
    with pytest.raises(RetryLater, match="signed by version 2 of the key ring, and 1 is the current one"):
        log.chainer.chain_some()
    ((end,),) = log.rows("SELECT max(seq) FROM audit_chain")
    forged = true_hash(log, end + 1)
    old = Head.made(end + 1, forged, datetime.now(UTC), ring().audit_signer)
    signed = (old.at, old.version, old.signature, old.seq)
    tamper(
        database,
        FORGED,
        forged_place(log, end + 1, forged),
        ("UPDATE audit_chain SET signed_at = %s, key_version = %s, signature = %s WHERE seq = %s", signed),
    )
    (found,) = verify_stored(log.database, rotated).findings
    assert (found.breach, found.seq) == (Breach.BAD_SIGNATURE, end + 1)
    assert "version 1 of the key ring, and 2 had signed before" in found.detail


def test_what_stands_behind_a_head_is_checked_by_itself(log: AuditLog, database: str) -> None:
    """Whatever was found before it."""
    log.write(1, 2)
    first = log.chain()
    log.write(3, 4)
    second = log.chain()
    log.write(5, 6)
    last = log.chain()
    tamper(database, "UPDATE audit_entry SET actor = 'ben' WHERE request_id = 'r-2'")
    assert log.verify(after=second).findings == ()
    assert log.verify(last, after=second).entries == last.seq
    with pytest.raises(BadInput, match=r"^head: it stands before --after"):
        log.verify(first, after=second)
    tamper(database, "UPDATE audit_entry SET actor = 'ben' WHERE request_id = 'r-5'")
    (found,) = log.verify(after=second).findings
    assert (found.breach, found.seq) == (Breach.CHANGED, place(log, 5))
    made_anew(log, database, second.seq)
    (found,) = log.verify(after=second).findings
    assert found.seq == second.seq
    cut(log, database, first.seq)
    (found,) = log.verify(after=second).findings
    assert found.breach is Breach.CUT_OFF

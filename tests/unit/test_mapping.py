"""Anybody's file by a mapping: forms, aliases, bad lines, wrong mappings; resolved in memory."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.file_events import file_event
from cli.resolve import resolve
from pipeline.codes import ReasonCode
from pipeline.errors import BadInput, ConfigurationError
from pipeline.mapping import BadRow, RawRecord, read_mapping, rows
from pipeline.mapping_file import Mapping_
from pipeline.resolve_file import resolve_rows
from pipeline.settings import Settings

FULL = """
record_id: id
source: shop
event_time: {column: seen, format: "%d.%m.%Y %H:%M"}
event_type: {constant: order}
region: DE
identifiers:
  phone: [mobile, {column: others, split: ";"}]
  fax: fax
  email: mail
traits:
  surname: family
  given_name: given
  address: {columns: [line1, line2], separator: ", "}
  po_box: box
  ssn: ssn
  passport: pass
  dob: born
payload:
  amount: total
"""
HEADER = "id,shop,seen,mobile,others,fax,mail,family,given,line1,line2,box,ssn,pass,born,total\n"
ROW = (
    "7,pos,24.12.2025 18:30,0301234567,0301234568; 0301234569,,a@x.org,"
    "Lovelace,Ada,Elm St 1,Hull,12,123,C9,1985-06-21,9.90\n"
)


def mapping(tmp_path: Path, text: str) -> Mapping_:
    file = tmp_path / "mapping.yaml"
    file.write_text(text)
    return read_mapping(file)


def test_every_part_of_a_mapping(tmp_path: Path) -> None:
    file = tmp_path / "records.csv.gz"
    file.write_bytes(gzip.compress((HEADER + ROW).encode()))
    assert list(rows(file, mapping(tmp_path, FULL))) == [
        RawRecord(
            line=2,
            record_id="7",
            source="pos",
            event_type="order",
            occurred_at=datetime(2025, 12, 24, 18, 30, tzinfo=UTC),
            identifiers={"phone": ("0301234567", "0301234568", "0301234569"), "email": ("a@x.org",)},
            traits={
                "last_name": "Lovelace",
                "first_name": "Ada",
                "address": "Elm St 1, Hull",
                "street": "PO Box 12",
                "national_id": "ssn:123|passport:C9",
                "date_of_birth": "1985-06-21",
            },
            payload={"amount": "9.90"},
        )
    ]


def test_json_lines_with_lists_numbers_and_bad_lines(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    lines = ['{"id": 1, "mail": ["a@x.org", "b@x.org"], "zip": 94107}', "{", "[1]", '{"mail": "c@x.org"}', ""]
    file.write_text("\n".join(lines))
    wanted = mapping(tmp_path, "record_id: id\nidentifiers: {email: mail}\ntraits: {zip: zip}\n")
    bad: list[BadRow] = []
    [found] = rows(file, wanted, bad.append)
    assert (found.record_id, found.identifiers) == ("1", {"email": ("a@x.org", "b@x.org")})
    assert found.traits == {"postcode": "94107"}
    assert [(b.line, b.reason) for b in bad] == [
        (2, ReasonCode.UNDECODABLE),
        (3, ReasonCode.SCHEMA_VIOLATION),
        (4, ReasonCode.SCHEMA_VIOLATION),
    ]
    with pytest.raises(BadInput, match="line 2"):
        list(rows(file, wanted))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("record_id: id\n", "nothing to match by"),
        ("identifiers: {email: mail}\n", "record_id"),
        ("record_id: id\nidentifiers: {telex: t}\n", "knows no telex"),
        ("record_id: id\ntraits: {shoe_size: t}\n", "knows no shoe_size"),
        ("record_id: id\ntraits: {surname: {kolumn: t}}\n", "kolumn"),
        ("record_id: id\nidentifiers: {email: mail}\nregion: Germany\n", "region"),
        ("record_id: [", "no YAML"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        mapping(tmp_path, text)


def test_a_column_the_file_lacks(tmp_path: Path) -> None:
    file = tmp_path / "records.csv"
    file.write_text("id,e\n1,a@x.org\n")
    with pytest.raises(ConfigurationError, match="lacks: mail; it has id, e"):
        list(rows(file, mapping(tmp_path, "record_id: id\nidentifiers: {email: mail}\n")))


def test_a_file_that_is_not_there_or_damaged(tmp_path: Path) -> None:
    wanted = mapping(tmp_path, "record_id: id\nidentifiers: {email: mail}\n")
    with pytest.raises(BadInput, match="no such file"):
        list(rows(tmp_path / "none.csv", wanted))
    damaged = tmp_path / "records.csv.gz"
    damaged.write_bytes(gzip.compress(b"id,mail\n" + b"1,a@x.org\n" * 999)[:-20])
    with pytest.raises(BadInput, match="gzip"):
        list(rows(damaged, wanted))
    latin = tmp_path / "latin.csv"
    latin.write_bytes("id,mail\n1,ä@x.org\n".encode("latin-1"))
    with pytest.raises(BadInput, match="encoding"):
        list(rows(latin, wanted))


def people(tmp_path: Path) -> tuple[Path, Path]:
    file, wanted = tmp_path / "people.csv", tmp_path / "people.yaml"
    file.write_text(
        "id,first,last,born,mail\n"
        "1,Ada,Lovelace,1985-06-21,\n2,Lovelace,Ada,1985-06-21,\n3,,,,a@x.org\n4,Ada,,,a@x.org\n5,,,,n/a\n6,,,,\n"
    )
    wanted.write_text(
        "record_id: id\nidentifiers: {email: mail}\ntraits: {first_name: first, last_name: last, dob: born}\n"
    )
    return file, wanted


def test_a_file_is_resolved_the_same_in_any_order(tmp_path: Path) -> None:
    file, wanted = people(tmp_path)
    outcomes = [
        resolve_rows(rows(file, read_mapping(wanted)), Settings(), shuffle_seed=seed)
        for seed in (None, 1, 2, 3)
    ]
    assert len({o.assigned for o in outcomes}) == 1
    profile = dict(outcomes[0].assigned)
    assert profile["1"] == profile["2"]
    assert profile["3"] == profile["4"]
    assert len(set(profile.values())) == 4
    assert outcomes[0].issues == {"identifiers.email:placeholder": 1, "record:no_identity": 2}


def test_a_model_learnt_first_says_of_its_rows_what_it_would_say_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "families.csv"
    people = list(
        product(("Ada", "Zoltan", "Mirela", "Quentin", "Brunhild"), ("Okonkwo", "Lindqvist", "Brzezinski"))
    )
    lines = [
        f"{n}-{copy},{given},{family},{1930 + 4 * n}-{n % 12 + 1:02d}-{2 * n % 27 + 1:02d}"
        for n, (given, family) in enumerate(people)
        for copy in range(2)
    ]
    file.write_text("\n".join(["id,given,family,born", *lines]))
    wanted = mapping(
        tmp_path, "record_id: id\ntraits: {first_name: given, last_name: family, date_of_birth: born}"
    )
    read = [*rows(file, wanted)]
    learnt = [resolve_rows(read, Settings(), shuffle_seed=seed, train=True).assigned for seed in (None, 1, 2)]
    assert learnt[0] == learnt[1] == learnt[2]
    assert len({profile for _, profile in learnt[0]}) == len(people)


def test_the_command_writes_one_line_a_record(tmp_path: Path) -> None:
    file, wanted = people(tmp_path)
    app = typer.Typer()
    app.command()(resolve)
    out = tmp_path / "clusters.csv"
    ran = CliRunner().invoke(app, [str(file), "--mapping", str(wanted), "--out", str(out), "--json"])
    assert ran.exit_code == 0, ran.output
    summary = json.loads(ran.stdout)
    assert (summary["rows"], summary["profiles"], summary["bad_rows"]) == (6, 4, 0)
    with out.open(newline="") as written:
        assert [row["record_id"] for row in csv.DictReader(written)] == ["1", "2", "3", "4", "5", "6"]


def test_columns_that_say_what_is_consented_to(tmp_path: Path) -> None:
    given = """
record_id: id
event_time: seen
identifiers: {email: mail}
consent:
  marketing: {column: optin, granted: [J], withdrawn: [N], at: asked}
  analytics: stats
"""
    file = tmp_path / "records.csv"
    file.write_text(
        "id,mail,seen,optin,asked,stats\n"
        "1,a@x.org,2026-01-02,j,2025-03-04,TRUE\n"
        "2,b@x.org,2026-01-02,N,,no\n"
        "3,c@x.org,2026-01-02,,2025-03-04,maybe\n"
    )
    first, second, third = rows(file, mapping(tmp_path, given))
    assert first.consent == (
        ("marketing", "granted", datetime(2025, 3, 4, tzinfo=UTC)),
        ("analytics", "granted", None),
    )
    assert second.consent == (("marketing", "withdrawn", None), ("analytics", "withdrawn", None))
    assert third.consent == ()
    assert file_event(first, "").event["consent"] == [
        {"purpose": "marketing", "state": "granted", "at": "2025-03-04T00:00:00+00:00"},
        {"purpose": "analytics", "state": "granted", "at": None},
    ]
    assert "consent" not in file_event(third, "").event
    missing = tmp_path / "missing.csv"
    missing.write_text("id,mail,seen,asked,stats\n1,a@x.org,,,\n")
    with pytest.raises(ConfigurationError, match="lacks: optin"):
        list(rows(missing, mapping(tmp_path, given)))

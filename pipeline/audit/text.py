"""The audit log in words for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import orjson

from pipeline.audit.breach import MEANINGS, Finding
from pipeline.audit.signing import Head
from pipeline.identity.ids import Id

Row = Mapping[str, object]
"""A row of the query `read_audit`, by its columns."""


def verified(entries: int, head: Head | None, findings: Sequence[Finding], after: int = 0) -> str:
    """What a check of what stands behind a place came to, ending with a line break."""
    lines = [line for finding in findings for line in _finding(finding)]
    if not findings:
        which = (
            f"All {entries:,} entries" if after == 0 else f"The entries behind {after:,}, up to {entries:,},"
        )
        lines.append(f"{which} stand as they were chained.")
    elif any(finding.seq == entries + 1 for finding in findings):
        lines.append(f"{entries - after:,} entries hold before that.")
    if head is not None:
        lines += [f"The last head that holds was signed {head.at:%Y-%m-%d %H:%M:%S} UTC:", f"  {head}"]
    return "\n".join(lines) + "\n"


def outside(heads: Sequence[Head], after: int, end: int) -> str:
    """Heads that were kept, and that a file from behind one place to another says nothing of."""
    where = f"lies outside the file, which holds {after + 1:,} to {end:,}: it was not checked"
    return "".join(f"The head at {head.seq:,} {where}.\n" for head in heads)


def _finding(finding: Finding) -> Iterator[str]:
    where = "" if finding.seq is None else f" at {finding.seq}"
    yield f"{finding.breach}{where}: {finding.detail}."
    yield f"  {MEANINGS[finding.breach]}"


def listed(rows: Sequence[Row], *, more: bool) -> str:
    """A few lines an entry, ending with a line break."""
    if not rows:
        return "No entry is so.\n"
    lines = [line for row in rows for line in _entry(row)]
    if more:
        lines.append("There are more: raise --limit to see them.")
    return "\n".join(lines) + "\n"


def _entry(row: Row) -> Iterator[str]:
    at, place = row["at"], row["seq"]
    assert isinstance(at, datetime)
    where = "not chained yet" if place is None else f"place {place}"
    yield f"{at:%Y-%m-%d %H:%M:%S}  {row['action']} by {row['actor']}  (entry {row['entry_id']}, {where})"
    about = [*_list(row["profiles"]), *_list(row["objects"])]
    if about:
        yield f"  about {', '.join(about[:5])}" + (f" and {len(about) - 5} more" if len(about) > 5 else "")
    if row["reason"]:
        yield f'  because "{row["reason"]}"'
    if row["request_id"]:
        yield f"  request {row['request_id']}, key {row['api_key']} ({row['api_key_id']})"
    if row["details"]:
        yield f"  {orjson.dumps(row['details'], option=orjson.OPT_SORT_KEYS).decode()}"


def _list(found: object) -> list[str]:
    assert isinstance(found, list)
    return [str(one) for one in found]


def as_data(row: Row) -> dict[str, object]:
    """An entry for JSON."""
    return {**row, "profiles": [str(p) for p in _profiles(row)]}


def _profiles(row: Row) -> Sequence[Id]:
    found = row["profiles"]
    assert isinstance(found, list)
    return found

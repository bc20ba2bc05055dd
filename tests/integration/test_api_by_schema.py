"""The gateway against its own OpenAPI document: whatever is sent, the answer is one it declares, what it promises is
taken, what it forbids is refused, and its links lead where they say."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from schemathesis.checks import CHECKS

from pipeline.settings import Settings
from tests.support.by_schema import asked
from tests.support.examples import with_examples
from tests.support.furnished import furnished
from tests.support.links import Walk

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
"""Requests an operation, beside those at the bounds of its schemas; `make fuzz` sends more."""
SEED = int(os.environ.get("FUZZ_SEED", "1"))


def test_links_lead_where_they_say(house: Settings, tmp_path: Path) -> None:
    with furnished(house, tmp_path) as (client, there):
        walk = Walk(client, with_examples(client.get("/openapi.json").json(), there))
        walk.go()
        walk.go()  # what there is to see of stewards' acts is there by now
    assert not walk.unfollowed(), {key: walk.lost.get(key) for key in walk.unfollowed()}


def test_answers_keep_to_the_document(
    house: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with furnished(house, tmp_path) as (client, there):
        document = client.get("/openapi.json").json()
        report = asked(document, there, EXAMPLES, SEED)
    operations = {f"{m.upper()} {path}" for path, methods in document["paths"].items() for m in methods}
    with capsys.disabled():
        sys.stdout.write(
            f"\n{dict(report.sent)} requests to {len(operations)} operations, FUZZ_SEED={SEED}\n"
        )
    assert not report.faults, "\n\n".join(report.faults.values())
    assert report.checks >= {*CHECKS.get_all_names()} - {"max_response_time"}, (
        "all but the one that takes the time"
    )
    assert report.links
    assert operations == {name for name, status in report.answered if status < 300}, "each did what it is for"

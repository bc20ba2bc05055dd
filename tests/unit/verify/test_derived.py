"""A record is called by its content; where two people may have that in common, by its event as well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.identity.ids import Id
from pipeline.store.key_versions import KeyVersions
from pipeline.store.stored import Stored
from pipeline.verify.derived import record_faults
from pipeline.verify.fault import FaultKind
from tests.support.ids import numbered
from tests.support.people import Person, person, ring


def stored(p: Person, name: Id) -> Stored:
    assert p.arrival.record is not None
    content = replace(p.arrival.record, record_id=name)
    return Stored(KeyVersions(1), records={name: (content, p.arrival.keys)})


@pytest.mark.parametrize(
    ("p", "found"),
    [
        (person({"email": "ann@mailbox.net"}), [FaultKind.RECORD_ID]),
        (person(first_name="Ann", last_name="Lee", city="Paris"), []),
    ],
)
def test_a_record_called_by_something_else_is_found(p: Person, found: list[FaultKind]) -> None:
    assert [fault.kind for fault in record_faults(stored(p, numbered(7)), ring())] == found
    assert list(record_faults(stored(p, p.record_id), ring())) == []

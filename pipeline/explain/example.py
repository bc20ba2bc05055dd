"""The explanation that the documentation shows, by the shipped model and policy."""

from __future__ import annotations

from datetime import date

from pipeline.configuration import load_model, load_policy
from pipeline.explain.report import PairReport, Subject
from pipeline.explain.text import told
from pipeline.identity.compare import compare, side
from pipeline.identity.explain.explain import explain_sides
from pipeline.identity.explain.explanation import Meeting
from pipeline.identity.explain.weighing import Configuration, StoredComparison
from pipeline.identity.ids import Id
from pipeline.identity.model import Edge, IdentityRecord
from pipeline.identity.normalize import canonicalize
from pipeline.privacy.mask import masked
from pipeline.settings import Settings

_TRAITS = {"last_name": "Kowalski", "date_of_birth": "1980-01-02"}
_PEOPLE = (
    ({"email": ["anna@mailbox.net"], "loyalty_id": ["L-1001"]}, {"first_name": "Ania", **_TRAITS}),
    (
        {"email": ["anna@mailbox.net"], "loyalty_id": ["L-2002"], "phone": ["+14155550101"]},
        {"first_name": "Anna", **_TRAITS},
    ),
)


def example() -> PairReport:
    """Two profiles of one record each that agree in all but the loyalty id."""
    settings = Settings()
    by = Configuration(load_model(settings), load_policy(settings))
    records = []
    for n, (identifiers, traits) in enumerate(_PEOPLE):
        content = canonicalize(identifiers, traits, by.policy, region="US", today=date(2026, 1, 1))
        records.append(IdentityRecord(Id(bytes([n] * 16)), content.identifiers, content.traits))
    one, other = records
    found = compare(side([one]), side([other]), by.model, by.policy)
    kept = StoredComparison(found, by.model.version, by.policy.version)
    edge = Edge(one.record_id, other.record_id, found)
    explained = explain_sides([one], [other], (), by, masked, [(edge, kept)])
    subjects = [Subject(r.record_id, False, r.record_id, (r.record_id,)) for r in records]
    return PairReport(
        subjects[0],
        subjects[1],
        "review",
        (),
        explained,
        (),
        Meeting(("identifier",), (), candidates=True),
        was_compared=True,
    )


def excerpt() -> str:
    """What the README shows of it: the verdict, the table, and what would make one customer of the two."""
    verdict, _, table, _, together, *_ = told(example()).rstrip().split("\n\n")
    return "\n\n".join((verdict, table, together))

"""The gateway asked by its own OpenAPI document: every check of schemathesis in every phase, links followed.

What schemathesis finds is a fault, but for what `excused` names: a value that a rule refuses which no schema can say.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import schemathesis
from requests import PreparedRequest
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import CheckFailureInfo, ScenarioRecorder
from schemathesis.hooks import HookContext

from tests.support.examples import KEY, with_examples
from tests.support.excused import excused
from tests.support.furnished import There

Json = dict[str, object]
FORGETTABLE, SPARE = "forgettable", "spare"
"""Profiles to be erased, webhooks to be removed."""


@dataclass
class Report:
    """What was sent, by phase; what was answered, by operation and status; links that were followed, checks that ran,
    and what is wrong."""

    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    links: set[str] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)
    faults: dict[tuple[object, ...], str] = field(default_factory=dict)

    def note(self, phase: str, recorder: ScenarioRecorder) -> None:
        """What came of one scenario."""
        self.sent[phase] += len(recorder.interactions)
        for case_id, node in recorder.cases.items():
            if node.transition is not None:
                self.links.add(node.transition.id)
            if (answer := _answer(recorder, case_id)) is not None:
                self.answered[node.value.operation.label, answer.status_code] += 1
        for case_id, checks in recorder.checks.items():
            self.checks |= {check.name for check in checks}
            for check in checks:
                if check.failure_info is not None:
                    self._note_fault(check.name, check.failure_info, _answer(recorder, case_id))

    def _note_fault(self, check: str, found: CheckFailureInfo, answer: Response | None) -> None:
        """One of each kind."""
        kind = (check, found.failure.operation, found.failure.title, found.failure.message[:200])
        told = "" if answer is None else f"{answer.status_code} {answer.content[:500]!r}"
        self.faults[kind] = "\n".join((*map(str, kind), found.code_sample, told))


def _answer(recorder: ScenarioRecorder, case_id: str) -> Response | None:
    interaction = recorder.interactions.get(case_id)
    return None if interaction is None else interaction.response


def asked(document: Json, there: There, examples: int, seed: int) -> Report:
    """Ask everything that the document offers: its examples, the bounds of its schemas, `examples` requests an
    operation that keep to them or break them, and chains of requests along its links."""
    report = Report()
    config = SchemathesisConfig.from_dict(_config(there, examples, seed))
    schema = schemathesis.openapi.from_dict(with_examples(document, there), config=config)

    def keep(context: HookContext, failure: Failure, case: schemathesis.Case, response: Response) -> bool:
        return not excused(failure, case, response)

    schema.hook("filter_failure")(keep)
    with _finishing():
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                report.note(event.phase.value, event.recorder)
            elif isinstance(event, events.NonFatalError):
                report.faults["error", event.label] = f"{event.label}: {event.info.message}"
            elif isinstance(event, events.FatalError):
                raise event.exception
    return report


def _known(there: There) -> dict[str, list[object]]:
    """What is there, by where in a request it may stand."""
    return {
        "path.profile_id": [*there.customers.merged, *there.customers.bare],
        "path.merge_log_id": [*there.merges],
        "path.review_id": [*there.reviews],
        "path.constraint_id": [*there.constraints],
        "path.webhook_id": [there.webhook],
        "path.delivery_id": [*there.deliveries],
        "path.dead_letter_id": [*there.letters],
        "path.subject": [*there.schemas],
        "path.version": ["1", "latest"],
        "body.url": [there.receiver],
        "body.records[*]": [there.record],
        "body.ids[*]": [*there.letters],
        "body.schema": [*there.schemas.values()],
        FORGETTABLE: [*there.customers.forgettable],
        SPARE: [*there.spares],
    }


def _config(there: There, examples: int, seed: int) -> Json:
    known = _known(there)
    names = {where: re.sub(r"\W", "_", where) for where in known}
    drawn = {where: {"dictionary": name, "probability": 0.6} for where, name in names.items()}
    forgettable, spare = drawn.pop(FORGETTABLE), drawn.pop(SPARE)
    return {
        "base-url": there.url,
        "headers": {"Authorization": there.key},
        "seed": seed,
        "continue-on-failure": True,
        "request-timeout": 30,
        "dictionaries": {name: {"values": known[where]} for where, name in names.items()},
        "parameters": drawn,
        "generation": {"max-examples": examples},
        "phases": {
            # links that schemathesis makes up are not ours to keep
            "stateful": {"inference": {"algorithms": []}, "generation": {"max-examples": 2 * examples}}
        },
        "operations": [
            # it answers for ever, unless it is told for how long
            {"include-name": "GET /v1/changes", "parameters": {"query.seconds": 0.05}},
            {"include-name": "DELETE /v1/webhooks/{webhook_id}", "parameters": {"path.webhook_id": spare}},
            {
                "include-name": "DELETE /v1/profiles/{profile_id}",
                "parameters": {"path.profile_id": forgettable},
            },
        ],
    }


@contextmanager
def _finishing() -> Iterator[None]:
    """Requests go out as a client sends them: each write under a key of its own, and compressed where they say so."""

    def before_call(context: HookContext, case: schemathesis.Case, kwargs: Json) -> None:
        kwargs["auth"] = _finished

    schemathesis.hook(before_call)
    try:
        yield
    finally:
        schemathesis.hooks.unregister(before_call)


def _finished(request: PreparedRequest) -> PreparedRequest:
    headers, body = request.headers, request.body
    if headers.get("Idempotency-Key") == KEY:
        headers["Idempotency-Key"] = str(uuid4())
    if headers.get("Content-Encoding") == "gzip" and isinstance(body, str | bytes):
        request.body = gzip.compress(body.encode() if isinstance(body, str) else body)
        headers["Content-Length"] = str(len(request.body))
    return request

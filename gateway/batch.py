"""The events of one request, each taken or refused on its own, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from gateway.envelope import error_body, wrong
from gateway.taking import Read, Refused, Taken, Taking
from pipeline import metrics
from pipeline.errors import BrokerUnavailable

_CHUNK = 100


@dataclass(slots=True)
class Batch:
    """Results in the order the events came in. `accepted` are those that the broker has acknowledged."""

    taking: Taking
    form: Read | None = None
    results: list[dict[str, object]] = field(default_factory=list)
    accepted: int = 0

    @property
    def refused(self) -> int:
        """How many were not taken."""
        return sum("error" in result for result in self.results)

    async def add(self, values: Sequence[object]) -> None:
        """Take these as well, and wait until the broker has them; what is Refused already is noted in its place. Raises
        BrokerUnavailable once that is noted: some of these may be stored."""
        outcomes: list[Taken | Refused] = []
        at = len(self.results)
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            outcomes += [self._outcome(v, at + start + n) for n, v in enumerate(chunk)]
            await asyncio.sleep(0)  # let other requests through: a batch is tens of milliseconds of work
        messages = [o.message for o in outcomes if isinstance(o, Taken)]
        try:
            await self.taking.ports.sender.send(messages)
        except BrokerUnavailable:
            metrics.EVENTS_TAKEN.labels("unavailable").inc(len(messages))
            self._note(outcomes, HTTPStatus.SERVICE_UNAVAILABLE)
            raise
        metrics.EVENTS_TAKEN.labels("accepted").inc(len(messages))
        self._note(outcomes, HTTPStatus.ACCEPTED)
        self.accepted += len(messages)

    def _outcome(self, value: object, index: int) -> Taken | Refused:
        return value if isinstance(value, Refused) else self.taking.read(value, index, self.form)

    def _note(self, outcomes: Sequence[Taken | Refused], status: HTTPStatus) -> None:
        for index, outcome in enumerate(outcomes, len(self.results)):
            match outcome:
                case Taken(event_id, _, notes):
                    result: dict[str, object] = {"index": index, "status": int(status), "event_id": event_id}
                    if notes:
                        result["warnings"] = [w.model_dump() for w in notes]
                case Refused(refused_status, code, errors):
                    error = error_body(code, wrong(errors), self.taking.request_id, errors)
                    result = {"index": index, "status": int(refused_status), "error": error}
            self.results.append(result)

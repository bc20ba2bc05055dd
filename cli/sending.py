"""Send events through the gateway and wait until they are committed: what `demo` and `ingest` have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from client import RetailBrain, ask
from client.call import Call
from gateway.models import BatchAccepted
from pipeline.identity.ids import Id
from pipeline.store.database import Database

T = TypeVar("T")
BATCH = 500
STALLED_AFTER_S = 60.0


def send(
    client: RetailBrain, items: Iterable[T], event_of: Callable[[T], object]
) -> Iterator[tuple[Sequence[T], BatchAccepted]]:
    """Send the event of each item in batches; yields each batch with what the gateway said, in order.

    What cannot be used of an event is left out. Raises GatewayUnavailable, RequestRefused. Sending again is harmless:
    event ids deduplicate.
    """
    under_way: deque[Sequence[T]] = deque()

    def calls() -> Iterator[Call[BatchAccepted]]:
        for batch in batches(items, BATCH):
            under_way.append(batch)
            yield ask.send_events([event_of(item) for item in batch], lenient=True)

    for told in client.ask_all(calls()):
        yield under_way.popleft(), told


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`; the last may be shorter."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def committed_among(database: Database, ids: Sequence[Id]) -> int:
    """How many of the events (given once each) are committed."""
    with database.transaction() as tx:
        return len(ids) - len(tx.rows("events_missing", (list(ids),)))

"""Faust's way in, a fetch at a time: all records of a partition that came together are one event.

Faust spends two asyncio tasks and some hundred microseconds on an event of its own, several times what folding one
costs. What it does for a stream (groups, rebalances, recovery of tables, commits) it does for a bundle as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast

import faust
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP
from faust.types.transports import ConsumerT

_GATHER_S = 0.5  # while events come in: fewer, larger fetches


class Record(Protocol):
    """What is used of the Kafka client's record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class _Bundle:
    """Records in the shape of one record, which stands at the offset of the last."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    value: Sequence[Record]
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


def _bundle(records: Sequence[Record]) -> _Bundle:
    last = records[-1]
    return _Bundle(last.topic, last.partition, last.offset, last.timestamp, last.timestamp_type, records)


class BundleConsumer(Consumer):
    """A consumer that hands the topics of the app's streams on as bundles, and changelogs record by record.

    A partition's bundles have to be acknowledged in order.
    """

    _pause_s = 0.0

    async def _wait_next_records(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust's signature
    ) -> tuple[Mapping[TP, list[object]] | None, set[TP] | None]:
        # before the fetch: what was fetched must not outlast a rebalance
        await asyncio.sleep(self._pause_s)
        records, active = await super()._wait_next_records(timeout)
        bundled = {
            place: cast(list[object], [_bundle(cast(Sequence[Record], found))])
            if self.app.topics.acks_enabled_for(place.topic)
            else found
            for place, found in (records or {}).items()
            if found
        }
        streamed = any(self.app.topics.acks_enabled_for(place.topic) for place in bundled)
        self._pause_s = _GATHER_S if streamed else 0.0
        return bundled, active

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Between the last records of two bundles lies nothing that was left out."""

    def _new_offset(self, tp: TP) -> int | None:
        """What comes after the last bundle acknowledged."""
        acked = self._acked[tp]
        if not acked:
            return None
        offset: int = max(acked)
        self._acked_index[tp].difference_update(acked)
        acked.clear()
        return offset + 1


class BundleTransport(Transport):
    """Faust's transport with that consumer."""

    Consumer: ClassVar[type[ConsumerT]] = BundleConsumer


def use_bundles(app: faust.App) -> None:
    """Let the app's streams come as bundles."""
    app.transport = BundleTransport(app.conf.broker_consumer, app)

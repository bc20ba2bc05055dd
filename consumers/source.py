"""Where a projection in Redis goes on reading: a Redis that lost its data is filled again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumers.redis_port import Positions
from pipeline.errors import BrokerUnavailable
from pipeline.stream.batch import Place
from pipeline.stream.source import Reading, Stored

_PATIENCE_S = 15.0

IN_BULK = Reading(
    linger_over_work=4.0,
    batch_bytes=8 * 2**20,
    # a projection may be half a second behind, and is fetched for in bulk
    config={"fetch.min.bytes": 262_144, "fetch.wait.max.ms": 500},
)


def lower_of_both(positions: Positions) -> Stored:
    """The lower of two positions, Redis' own and the group's committed offset; a missing one is the beginning.

    So a Redis that lost its data and a group that was reset both lead to a replay.
    """

    def stored(client: Consumer, places: Sequence[Place]) -> Mapping[Place, int]:
        found = positions.load(places)
        try:
            committed = client.committed([TopicPartition(*place) for place in places], timeout=_PATIENCE_S)
        except KafkaException as exc:
            raise BrokerUnavailable("the group's offsets cannot be read yet") from exc
        return {
            (p.topic, p.partition): min(p.offset, found[p.topic, p.partition])
            for p in committed
            if p.offset >= 0 and (p.topic, p.partition) in found
        }

    return stored

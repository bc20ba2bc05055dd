"""Kafka clients, built from the settings in one place, and the client's errors as ours."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.errors import BrokerRefuses, BrokerUnavailable, StageStopped
from pipeline.log import get_logger
from pipeline.settings import Settings
from pipeline.stream.security import security_config

Config = dict[str, str | int | float | bool]

_QUIET_S = 10.0
_MENDS: Mapping[int, str] = {
    KafkaError._SSL: "set RB_KAFKA_SSL_CA to the authority that signed the broker's certificate, and "
    "RB_KAFKA_BOOTSTRAP to a name that stands in it",
    KafkaError._AUTHENTICATION: "set RB_KAFKA_SASL_MECHANISM, RB_KAFKA_SASL_USERNAME and RB_KAFKA_SASL_PASSWORD as "
    "the broker knows them",
}
"""Errors that come of how we and the broker prove who we are, and what mends each."""
_WANTS_CERTIFICATE = "certificate required"
"""What a broker ends a connection with that wants to see a certificate (RFC 8446, 6.2); it has no code of its own."""


def client_config(settings: Settings, client: str) -> Config:
    """What every client is told: where the broker is, and by what it lets us in. Raises ConfigurationError."""
    return security_config(settings) | {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": f"retail-brain-{client}",
        "socket.keepalive.enable": True,
        # the default of 10 s would add itself to every restart of a broker
        "reconnect.backoff.max.ms": 1_000,
    }


def producer_config(settings: Settings, client: str = "producer") -> Config:
    """Idempotent, acks=all, lz4; keys are partitioned as by the Java client, so that joins line up.

    A message that is not acknowledged within `produce_timeout_ms` fails.
    """
    return client_config(settings, client) | {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "partitioner": "murmur2_random",
        "linger.ms": 5,
        "message.timeout.ms": settings.produce_timeout_ms,
        "queue.buffering.max.kbytes": 65_536,
    }


def consumer_config(settings: Settings, group: str) -> Config:
    """A group member by `kafka_group_protocol`; the group's name gets the topic prefix.

    The client commits no offsets by itself. At most 16 MiB are fetched ahead.
    """
    config = client_config(settings, group) | {
        "group.id": settings.topic(group),
        "group.protocol": settings.kafka_group_protocol,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 500,
        "fetch.queue.backoff.ms": 5,
        "queued.max.messages.kbytes": 16_384,
        "topic.metadata.refresh.interval.ms": 30_000,
    }
    if settings.kafka_group_protocol == "classic":
        # with KIP-848 these are the broker's business, and setting them is refused
        config |= {"session.timeout.ms": 10_000, "heartbeat.interval.ms": 3_000}
    return config


def reader_config(settings: Settings, client: str) -> Config:
    """A consumer in no group, which is assigned its partitions and offsets and fetches little ahead.

    It is told where a partition ends, and that an offset is not in the log rather than begin elsewhere.
    """
    return client_config(settings, client) | {
        "group.id": settings.topic(client),  # the client wants one; it neither joins nor commits
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 500,
        "fetch.queue.backoff.ms": 5,
        "fetch.message.max.bytes": 262_144,
        "fetch.max.bytes": 2_097_152,
        "queued.max.messages.kbytes": 2_048,
    }


def producer(config: Config) -> Producer:
    """A producer that logs through the standard library."""
    return Producer({**config, "error_cb": _ErrorLog()}, logger=_library_log())


def finish(client: Producer, patience_s: float = 0.0) -> None:
    """Let what is in flight be acknowledged for so long, report the rest as failed, and end the client's threads.

    Call it explicitly before the interpreter ends, and once no other thread uses the client: threads of the library
    that outlive Python run on beside the exit handlers of the C library, which free what they use.
    """
    client.flush(patience_s)
    client.purge()
    client.close()


OnCommit = Callable[[KafkaError | None, list[TopicPartition]], None]


def consumer(config: Config, on_commit: OnCommit = lambda error, places: None) -> Consumer:
    """A consumer that logs through the standard library. `on_commit` hears of offsets told to the broker."""
    return Consumer({**config, "error_cb": _ErrorLog(), "on_commit": on_commit}, logger=_library_log())


def _mend(error: KafkaError) -> str | None:
    if _WANTS_CERTIFICATE in error.str():
        return "set RB_KAFKA_SSL_CERTIFICATE and RB_KAFKA_SSL_KEY to a certificate that the broker trusts"
    return _MENDS.get(error.code())


class Admin:
    """A client that looks at the broker and makes topics, and knows why the broker does not let it in."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError."""
        self._refusal: KafkaError | None = None
        config = client_config(settings, "admin") | {"log_level": 0}
        # callbacks are taken, and not declared
        self.client = AdminClient({**config, "error_cb": self._told}, logger=_library_log())  # type: ignore[dict-item]

    def _told(self, error: KafkaError) -> None:
        if _mend(error) is not None:
            self._refusal = error

    def unavailable(self, error: KafkaError) -> BrokerUnavailable:
        """The error of a call as ours; where the broker refuses us, or we trust it not, that, with the mend."""
        self.client.poll(0)  # the reason is told apart from what the call failed of
        return unavailable(self._refusal or error)


def unavailable(error: KafkaError | None) -> BrokerUnavailable:
    """The client's error as ours: BrokerRefuses, with the mend, where it is the broker's, or ours of the broker."""
    if error is None:
        return BrokerUnavailable("no acknowledgement in time")
    mend = _mend(error)
    told = f"{error.name()}: {error.str()}"
    return BrokerUnavailable(told) if mend is None else BrokerRefuses(f"{told}; {mend}")


class _Seldom:
    """True once in ten seconds for each kind of thing: a broker that is away is reported many times a second."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def due(self, kind: str) -> bool:
        now = time.monotonic()
        if now - self._last.get(kind, -_QUIET_S) < _QUIET_S:
            return False
        self._last[kind] = now
        return True


def _library_log() -> logging.Logger:
    """The client library's own lines; they begin with their kind."""
    log = logging.getLogger("librdkafka")
    if not log.filters:
        seldom = _Seldom()
        log.addFilter(lambda record: seldom.due(record.getMessage().partition(" ")[0]))
    return log


class _ErrorLog:
    """Logs each kind of client error, but seldom."""

    def __init__(self) -> None:
        self._seldom = _Seldom()

    def __call__(self, error: KafkaError) -> None:
        if self._seldom.due(error.name()):
            get_logger().warning("kafka client", error=error.name(), detail=error.str(), mend=_mend(error))


def is_fatal(error: KafkaError) -> bool:
    """Whether the client is done for. Handed out in place of a message, it says so by its code alone."""
    return error.fatal() or error.code() == KafkaError._FATAL


class ConsumerErrors:
    """What to do with the errors a consumer hands out in place of messages."""

    def __init__(self) -> None:
        self._log = _ErrorLog()

    def meet(self, error: KafkaError) -> None:
        """Log what the client mends by itself (a missing topic too). Raises StageStopped on the rest."""
        if is_fatal(error):
            raise StageStopped(
                f"Kafka refuses this consumer: {error.name()}: {error.str()}. A missing right needs an ACL"
            )
        self._log(error)

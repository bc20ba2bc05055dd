"""What lies in servers, read through them: files alone would not do, as brokers and databases compress what they
keep."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import cast

import httpx
import psycopg
from confluent_kafka import Consumer, TopicPartition
from psycopg import sql as composed
from redis import Redis

from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.stream.kafka import client_config
from schemas.topics import topics

RAW = "events.raw"
Read = Iterator[tuple[str, bytes]]
"""Where something stands, and what."""

_SILENCE_S = 5.0


def of_topics(settings: Settings) -> Read:
    """Keys, values and headers of every message of all topics, internal ones included, but of events.raw."""
    reader = Consumer(
        {
            **client_config(settings, "checker"),
            "group.id": "privacy-proof",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": False,
        }
    )
    try:
        known = reader.list_topics(timeout=10).topics
        missing = {settings.topic(name) for name in topics()} - known.keys()
        assert not missing, f"topics are missing: {missing}"
        places = [
            TopicPartition(name, partition, 0)
            for name, topic in known.items()
            if name != settings.topic(RAW)
            for partition in topic.partitions
        ]
        wanted = {
            (p.topic, p.partition): high
            for p in places
            for low, high in [reader.get_watermark_offsets(p, timeout=10)]
            if high > low
        }
        reader.assign(places)
        heard = time.monotonic()
        while wanted and time.monotonic() < heard + _SILENCE_S:
            for message in reader.consume(500, timeout=1.0):
                heard = time.monotonic()
                place = (cast(str, message.topic()), cast(int, message.partition()))
                headers = cast(list[tuple[str, bytes | None]], message.headers() or [])
                said = [*_bytes(message.key()), *_bytes(message.value())]
                said += [part for name, value in headers for part in (name.encode(), value or b"")]
                yield f"topic {place[0]}", b" ".join(said)
                if cast(int, message.offset()) + 1 >= wanted.get(place, 0):
                    wanted.pop(place, None)
    finally:
        reader.close()


def _bytes(part: object) -> list[bytes]:
    return [part] if isinstance(part, bytes) else [part.encode()] if isinstance(part, str) else []


def of_tables(settings: Settings) -> Read:
    """Every row of every table as text: bytes in hex."""
    with Database(settings.postgres_dsn.get_secret_value(), "privacy-proof") as database:
        with database.transaction() as tx:
            names = tx.connection.execute(
                "SELECT schemaname, tablename FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
        for schema, table in names:
            with database.transaction() as tx, tx.connection.cursor("rows") as cursor:
                query = composed.SQL("SELECT t::text FROM {} t").format(composed.Identifier(schema, table))
                for (row,) in cursor.execute(query):
                    yield f"table {schema}.{table}", str(row).encode()


def checkpoint(settings: Settings) -> None:
    """Have Postgres write what it holds in memory to its files, and Redis its dump."""
    with psycopg.connect(settings.postgres_dsn.get_secret_value(), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    with Redis.from_url(settings.redis_url) as redis:
        redis.save()


def of_redis(settings: Settings) -> Read:
    """Every key with all that is under it."""
    with Redis.from_url(settings.redis_url) as redis:
        for key in redis.scan_iter(count=1_000):
            yield f"redis {key[:24].decode(errors='replace')}", key + b" " + _under(redis, key)


def _under(redis: Redis, key: bytes) -> bytes:
    match cast(bytes, redis.type(key)).decode():
        case "string":
            return cast(bytes, redis.get(key) or b"")
        case "hash":
            held = cast(dict[bytes, bytes], redis.hgetall(key))
            return b" ".join(part for pair in held.items() for part in pair)
        case "set":
            return b" ".join(cast(set[bytes], redis.smembers(key)))
        case "zset":
            return b" ".join(cast(list[bytes], redis.zrange(key, 0, -1)))
        case "list":
            return b" ".join(cast(list[bytes], redis.lrange(key, 0, -1)))
        case "none":
            return b""  # it expired meanwhile
        case other:
            raise AssertionError(f"Redis holds a {other} under {key!r}: have it read here")


def of_metrics(url: str) -> Read:
    """What Prometheus would be told by the gateway."""
    yield "metrics", httpx.get(f"{url}/metrics", timeout=10).raise_for_status().content

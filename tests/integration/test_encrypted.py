"""An event on its way over encrypted connections, and who is refused there. The embedded Postgres and Valkey are built
without TLS, so that their clients are tried against doors in front of them; Kafka's own TLS is tried."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from redis.exceptions import ConnectionError as RedisGone

from consumers.insights import faust_app
from consumers.redis_port import connect
from gateway.app import create_app
from gateway.producer import KafkaSender
from gateway.server import make_ports, redis_of
from infra.doctor import examine, kafka, redis_server
from infra.migrate import migrate, pending
from infra.topics import ensure_topics, missing_topics
from pipeline.errors import BrokerRefuses, BrokerUnavailable, ConfigurationError, StoreUnavailable
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.stream.security import security_config, ssl_context
from schemas.codec import RAW_TOPIC
from tests.servers import TestStack, remove_topics
from tests.support.certificates import Authority
from tests.support.tls import PASSWORD, USER, SecureKafka, door, postgres_door, secure_kafka
from tests.support.worker import Worker

SCRAM = "SCRAM-SHA-512"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "trusted")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "stranger")


@pytest.fixture(scope="module")
def broker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("secure") / "kafka", authority) as opened:
        admin = AdminClient({"bootstrap.servers": opened.bootstrap})
        known = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        wanted = UserScramCredentialUpsertion(USER, known, PASSWORD.encode())
        for future in admin.alter_user_scram_credentials([wanted]).values():
            future.result()
        yield opened


@pytest.fixture
def secured(broker: SecureKafka, authority: Authority, stack: TestStack, database: str) -> Iterator[Settings]:
    """A house whose Kafka lets in who logs in, over TLS."""
    settings = stack.settings(
        postgres_dsn=database,
        topic_prefix=f"t{uuid.uuid4().hex[:8]}.",
        kafka_bootstrap=f"127.0.0.1:{broker.login}",
        kafka_security_protocol="SASL_SSL",
        kafka_ssl_ca=authority.file,
        kafka_sasl_mechanism=SCRAM,
        kafka_sasl_username=USER,
        kafka_sasl_password=PASSWORD,
        rate_limit_per_minute=0,
        produce_timeout_ms=5_000,
    )
    ensure_topics(settings)
    yield settings
    remove_topics(settings.model_copy(update={"kafka_bootstrap": broker.bootstrap}))


def changed(settings: Settings, **values: object) -> Settings:
    return Settings.model_validate({**settings.model_dump(), **values})


async def test_an_event_goes_through_the_stages_encrypted(secured: Settings) -> None:
    sender = KafkaSender(secured, RAW_TOPIC)
    app = create_app(make_ports(secured, sender))
    async with AsyncExitStack() as running:
        running.callback(sender.close)
        running.enter_context(Worker("pipeline.normalize_stage", secured))
        running.enter_context(Worker("pipeline.resolve_stage", secured))
        await running.enter_async_context(app.router.lifespan_context(app))
        client = await running.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://gateway",
                headers={"Authorization": "Bearer test-key", "Prefer": "wait=30"},
                timeout=60,
            )
        )
        event = {"source": "web", "event_type": "visit", "identifiers": {"email": "ann@x.com"}}
        answer = await client.post("/v1/events", json=event)
    assert answer.status_code == 200, answer.text
    assert answer.json()["profile_id"]


def test_the_plain_mechanism_lets_in_as_well(secured: Settings) -> None:
    assert missing_topics(changed(secured, kafka_sasl_mechanism="PLAIN")) == ()


def test_who_shows_a_certificate_needs_no_password(
    secured: Settings, broker: SecureKafka, authority: Authority
) -> None:
    mine = authority.certify("client")
    shown = {
        "kafka_bootstrap": f"127.0.0.1:{broker.mutual}",
        "kafka_security_protocol": "SSL",
        "kafka_ssl_certificate": mine.certificate,
        "kafka_ssl_key": mine.key,
    }
    assert missing_topics(changed(secured, **shown)) == ()
    with pytest.raises(BrokerRefuses, match="RB_KAFKA_SSL_CERTIFICATE"):
        missing_topics(changed(secured, **shown | {"kafka_ssl_certificate": None, "kafka_ssl_key": None}), 10)


@pytest.mark.parametrize("mechanism", ["PLAIN", SCRAM])
def test_a_wrong_password_is_refused_and_the_mend_is_named(secured: Settings, mechanism: str) -> None:
    wrong = changed(secured, kafka_sasl_mechanism=mechanism, kafka_sasl_password="wrong")
    with pytest.raises(BrokerRefuses, match="RB_KAFKA_SASL_PASSWORD") as refused:
        missing_topics(wrong, 5)
    assert "wrong" not in str(refused.value)


def test_a_broker_that_another_authority_signed_is_not_trusted(
    secured: Settings, stranger: Authority
) -> None:
    with pytest.raises(BrokerRefuses, match="RB_KAFKA_SSL_CA"):
        missing_topics(changed(secured, kafka_ssl_ca=stranger.file), 5)


def test_doctor_says_what_to_mend(secured: Settings, stranger: Authority) -> None:
    (finding,) = kafka(changed(secured, kafka_ssl_ca=stranger.file))
    assert not finding.ok
    assert "RB_KAFKA_SSL_CA" in finding.found


async def test_the_gateway_is_told_by_the_log_and_answers_503(
    secured: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    sender = KafkaSender(changed(secured, kafka_sasl_password="wrong", produce_timeout_ms=2_000), RAW_TOPIC)
    with pytest.raises(BrokerUnavailable):
        await sender.send([b"{}"])
    sender.close()
    assert "RB_KAFKA_SASL_PASSWORD" in capsys.readouterr().out


async def test_faust_reads_and_writes_by_the_same_settings(secured: Settings) -> None:
    app = faust_app(secured)
    topic = app.topic(secured.topic("events.linked"), key_serializer="raw", value_serializer="raw")
    try:
        await app.producer.start()
        told = await app.producer.send_and_wait(topic.get_topic_name(), b"k", b"v", None, None, {})
    finally:
        await app.producer.stop()
    assert told.topic == topic.get_topic_name()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"kafka_sasl_password": ""}, "RB_KAFKA_SASL_PASSWORD"),
        ({"kafka_sasl_username": ""}, "RB_KAFKA_SASL_USERNAME"),
        ({"kafka_ssl_ca": Path("/nowhere.pem")}, "RB_KAFKA_SSL_CA: /nowhere.pem"),
        ({"kafka_ssl_key": Path("/nowhere.pem")}, "RB_KAFKA_SSL_CERTIFICATE and RB_KAFKA_SSL_KEY together"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_connected(values: dict[str, object], named: str) -> None:
    login = {"kafka_sasl_username": "x", "kafka_sasl_password": "y", "kafka_security_protocol": "SASL_SSL"}
    wrong = Settings.model_validate(login | values)
    with pytest.raises(ConfigurationError, match=named):
        security_config(wrong)
    with pytest.raises(ConfigurationError, match=named):
        ssl_context(wrong)


def _at(dsn: str, port: int, **more: str) -> str:
    return make_conninfo(dsn, port=port, **more)


def test_postgres_is_spoken_to_by_tls_and_held_to_its_name(
    database: str, authority: Authority, stranger: Authority
) -> None:
    behind = int(str(conninfo_to_dict(database)["port"]))
    with postgres_door(behind, authority.certify("postgres")) as opened:
        asked = {"sslmode": "verify-full", "sslrootcert": str(authority.file)}
        dsn = _at(database, opened.port, **asked)
        with Database(dsn, "test") as connected, connected.transaction() as tx:
            assert tx.connection.pgconn.ssl_in_use
        assert migrate(dsn) == ()
        assert pending(dsn) == ()
        assert opened.entered >= 4
        wrong = _at(database, opened.port, **asked | {"sslrootcert": str(stranger.file)})
        with (
            pytest.raises(StoreUnavailable, match="certificate verify failed"),
            Database(wrong, "t").transaction(),
        ):
            pass
    with postgres_door(behind, authority.certify("elsewhere", "127.0.0.2")) as opened:
        dsn = _at(database, opened.port, **asked)
        with (
            pytest.raises(StoreUnavailable, match="does not match host name"),
            Database(dsn, "t").transaction(),
        ):
            pass
    plain = Database(make_conninfo(database, **asked), "t")
    with pytest.raises(StoreUnavailable, match="does not support SSL"), plain.transaction():
        pass


async def test_the_gateway_reads_postgres_by_tls(secured: Settings, authority: Authority) -> None:
    dsn = secured.postgres_dsn.get_secret_value()
    with postgres_door(int(str(conninfo_to_dict(dsn)["port"])), authority.certify("postgres")) as opened:
        asked = _at(dsn, opened.port, sslmode="verify-full", sslrootcert=str(authority.file))
        ports = make_ports(changed(secured, postgres_dsn=asked), KafkaSender(secured, RAW_TOPIC))
        await ports.store.open()
        try:
            assert await ports.store.rows("open_pauses") == []
        finally:
            await ports.store.close()
        assert opened.entered >= 1


async def test_redis_is_spoken_to_by_tls_and_held_to_its_name(
    stack: TestStack, authority: Authority, stranger: Authority
) -> None:
    behind = int(stack.redis_url.rsplit(":", 1)[1].split("/")[0])
    with door(behind, authority.certify("redis")) as opened:
        url = f"rediss://127.0.0.1:{opened.port}/15?ssl_ca_certs={authority.file}"
        settings = stack.settings(redis_url=url)
        with connect(settings) as redis:
            assert redis.ping()
        async with redis_of(settings) as redis_of_the_gateway:
            assert await redis_of_the_gateway.ping()
        (finding,) = redis_server(settings)
        assert finding.ok
        wrong = stack.settings(redis_url=url.replace(str(authority.file), str(stranger.file)))
        with connect(wrong) as redis, pytest.raises(RedisGone, match="certificate verify failed"):
            redis.ping()
    with door(behind, authority.certify("elsewhere", "127.0.0.2")) as opened:
        settings = stack.settings(
            redis_url=f"rediss://127.0.0.1:{opened.port}/15?ssl_ca_certs={authority.file}"
        )
        with (
            connect(settings) as redis,
            pytest.raises(RedisGone, match="certificate verify failed"),
        ):
            redis.ping()


def test_doctor_names_what_is_not_encrypted_in_production(house: Settings, authority: Authority) -> None:
    def told(settings: Settings) -> dict[str, bool]:
        return {f.what: f.ok for f in examine(settings) if f.what.endswith(" encrypted")}

    assert told(house) == {}
    production = changed(house, environment="production")
    assert told(production) == {
        "Kafka encrypted": False,
        "Postgres encrypted": False,
        "Redis encrypted": False,
    }
    dsn = make_conninfo(house.postgres_dsn.get_secret_value(), sslmode="verify-full")
    safe = changed(
        production,
        postgres_dsn=dsn,
        redis_url=house.redis_url.replace("redis://", "rediss://"),
        kafka_security_protocol="SSL",
        kafka_ssl_ca=authority.file,
    )
    assert set(told(safe).values()) == {True}

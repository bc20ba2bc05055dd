"""The proxies between a house's processes and its servers, and between the writers and its gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pydantic import SecretStr

from faults.proxy import Proxies, Proxy
from infra.embedded.kafka import Proxied
from infra.embedded.ports import choose
from pipeline.settings import Settings

PROXIED = ("kafka", "postgres", "valkey", "gateway")


class Between:
    """The proxies of one house: `taken` is a `bench.house.Between`, `door` what Kafka needs to be reached by them."""

    def __init__(self) -> None:
        ports = choose(dict.fromkeys((*PROXIED, "door"), 0))
        self.door = Proxied(ports.pop("door"), ports["kafka"])
        self._proxies = Proxies(ports)

    def __getitem__(self, name: str) -> Proxy:
        """The proxy in front of a server, or of the gateway, whose port is its user's to set."""
        return self._proxies[name]

    @property
    def gateway_url(self) -> str:
        """Where writers reach the gateway."""
        return f"http://127.0.0.1:{self['gateway'].port}"

    @contextmanager
    def taken(self, straight: Settings) -> Iterator[Settings]:
        """Settings by which the same servers are reached by way of the proxies, while entered."""
        kafka, postgres, valkey = (self[name] for name in ("kafka", "postgres", "valkey"))
        dsn = straight.postgres_dsn.get_secret_value()
        kafka.target, postgres.target = self.door.port, _port(dsn)
        valkey.target = _port(straight.redis_url)
        by_proxies = {
            "kafka_bootstrap": f"127.0.0.1:{kafka.port}",
            "postgres_dsn": SecretStr(_by(dsn, postgres.port)),
            "redis_url": _by(straight.redis_url, valkey.port),
        }
        with self._proxies:
            yield straight.model_copy(update=by_proxies)


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None, "an embedded server's address names its port"
    return port


def _by(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()

"""Servers that speak TLS: a Kafka of its own, and doors in front of servers that were built without it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from infra.embedded import jars, server
from infra.embedded.kafka import Kafka
from infra.embedded.ports import choose
from infra.embedded.processes import end, working_in
from tests.support.certificates import LOOPBACK, Authority, Certified

USER, PASSWORD = "house", "not-a-secret"
_SSL_REQUEST = 8
"""Bytes of what a client of Postgres asks before TLS begins."""

_SECURE = """
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller},LOGIN://{host}:{login},MUTUAL://{host}:{mutual}
advertised.listeners=PLAINTEXT://{host}:{port},LOGIN://{host}:{login},MUTUAL://{host}:{mutual}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL
ssl.keystore.type=PEM
ssl.keystore.location={keys}
ssl.truststore.type=PEM
ssl.truststore.location={trusted}
listener.name.mutual.ssl.client.auth=required
listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


@dataclass(frozen=True)
class SecureKafka(Kafka):
    """A broker with two more doors: one for who logs in, one for who shows a certificate."""

    login: int = 0
    mutual: int = 0
    certified: Certified | None = None
    trusted: Path = Path()

    def _properties(self) -> str:
        assert self.certified is not None
        plain, controller = self.ports
        return super()._properties() + _SECURE.format(  # of a property that stands twice the last one holds
            host=LOOPBACK,
            port=plain,
            controller=controller,
            login=self.login,
            mutual=self.mutual,
            keys=self.certified.both,
            trusted=self.trusted,
            user=USER,
            password=PASSWORD,
        )


@contextmanager
def secure_kafka(folder: Path, authority: Authority) -> Iterator[SecureKafka]:
    """A broker in the folder, its certificate signed by the authority; ended with the block."""
    ports = choose(dict.fromkeys(("kafka", "controller", "login", "mutual"), 0))
    one = SecureKafka(
        folder,
        (ports["kafka"], ports["controller"]),
        tuple(jars.obtain(jars.default_cache(folder))),
        None,
        ports["login"],
        ports["mutual"],
        authority.certify("kafka"),
        authority.file,
    )
    try:
        server.start(one, folder.with_suffix(".log"), lambda recorded: None)
        yield one
    finally:
        for process in working_in(one.folder, one.program):
            end(process, one.stop_signal)


class Door:
    """Ends TLS in front of a server on this machine, and lets through what is said. `asked` is what a client sends
    before TLS begins, as those of Postgres do; it is answered with `S`."""

    def __init__(self, behind: int, certified: Certified, asked: int = 0) -> None:
        self._behind, self._asked = behind, asked
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certified.certificate, certified.key)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.entered = 0
        """How many came in by TLS."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._enter, args=(client,), daemon=True).start()

    def _enter(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # a client that does not trust us leaves
            if self._asked:
                client.recv(self._asked, socket.MSG_WAITALL)
                client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as inside,
                socket.create_connection((LOOPBACK, self._behind)) as server_,
            ):
                self.entered += 1
                answers = threading.Thread(target=_carry, args=(server_, inside), daemon=True)
                answers.start()
                _carry(inside, server_)
                answers.join()

    def close(self) -> None:
        """Let nobody in any more."""
        self._listener.close()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def door(behind: int, certified: Certified) -> Iterator[Door]:
    """In front of a server whose clients begin with TLS."""
    with closing(Door(behind, certified)) as opened:
        yield opened


@contextmanager
def postgres_door(behind: int, certified: Certified) -> Iterator[Door]:
    """In front of a Postgres."""
    with closing(Door(behind, certified, _SSL_REQUEST)) as opened:
        yield opened

"""A receiver of webhooks that behaves as it is told: it takes, fails, hangs, drips, floods, redirects, breaks off."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Got:
    """A request that came whole."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """Its `webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, object]:
        """The change in it."""
        found: dict[str, object] = orjson.loads(self.body)
        return found


@dataclass
class Receiver:
    """`got` is all that came; `answer` makes the answer to each request, by default 204."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    answer: Callable[[Handler, Got], None] = lambda handler, got: handler.say(204)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/") -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Got]:
        """What came to a path."""
        return [one for one in self.got if one.path == path]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def setup(self) -> None:
        super().setup()
        self.receiver.connections += 1

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # whoever sent it is gone
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        got = Got(self.path, headers, body, time.time())
        self.receiver.got.append(got)
        self.receiver.answer(self, got)

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Says nothing."""


def hang(handler: Handler, got: Got) -> None:
    """No answer at all."""
    handler.receiver.ended.wait(60)


def drip(handler: Handler, got: Got) -> None:
    """An answer of which a byte comes now and then."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.receiver.ended.wait(0.05):
        handler.wfile.write(b".")


def flood(handler: Handler, got: Got) -> None:
    """An answer without an end, as fast as it is read."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        while not handler.receiver.ended.is_set():
            handler.wfile.write(b"x" * 65_536)
    except OSError:
        pass  # the other side has seen enough


def break_off(handler: Handler, got: Got) -> None:
    """A 200 of which half comes."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"half")
    handler.close_connection = True


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # many connect at once


@contextmanager
def receiving(certificate: Path | None = None) -> Iterator[Receiver]:
    """A receiver on loopback; with TLS where a file holds a certificate and its key."""
    receiver = Receiver()
    server = _Server(("127.0.0.1", 0), type("Of", (Handler,), {"receiver": receiver}))
    server.daemon_threads = True
    server.handle_error = lambda request, address: None  # type: ignore[method-assign,assignment]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def certificate_of(name: str, folder: Path) -> Path:
    """A self-signed certificate and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


def verified(secret: str, got: Got) -> bool:
    """As docs/change-feed.md tells receivers to."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    told = [one.removeprefix("v1,") for one in got.headers["webhook-signature"].split()]
    recent = abs(time.time() - int(got.headers["webhook-timestamp"])) < 300
    return recent and any(hmac.compare_digest(expected, one) for one in told)

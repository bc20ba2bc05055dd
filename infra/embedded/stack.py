"""The embedded stack: three servers over one folder, found again by whoever knows the folder."""

from __future__ import annotations

import fcntl
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from infra.embedded import jars, server
from infra.embedded.kafka import Kafka, Proxied
from infra.embedded.ports import choose
from infra.embedded.postgres import Postgres
from infra.embedded.processes import Recorded, end
from infra.embedded.server import PortTaken, Server
from infra.embedded.state import Addresses, State
from infra.embedded.valkey import Valkey
from pipeline.errors import ConfigurationError, ServerFailed

Name = Literal["kafka", "postgres", "valkey"]
NAMES: tuple[Name, ...] = ("kafka", "postgres", "valkey")
ROLES: dict[Name, tuple[str, ...]] = {
    "kafka": ("kafka", "controller"),
    "postgres": ("postgres",),
    "valkey": ("valkey",),
}
WELL_KNOWN = {"kafka": 9092, "controller": 9093, "postgres": 5432, "valkey": 6379, "gateway": 8080}
"""Each port of the stack, and the number that is tried first."""
START_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Servers:
    """The three, over one state."""

    kafka: Kafka
    postgres: Postgres
    valkey: Valkey

    def __getitem__(self, name: Name) -> Server:
        found: dict[Name, Server] = {"kafka": self.kafka, "postgres": self.postgres, "valkey": self.valkey}
        return found[name]


class Stack:
    """The servers over `home`. Any number of these, in any process, may speak of the same folder."""

    def __init__(self, home: Path, *, well_known_ports: bool = True) -> None:
        """`well_known_ports=False` goes straight to any free ports."""
        self.home = home.resolve()
        self._first_choice = WELL_KNOWN if well_known_ports else dict.fromkeys(WELL_KNOWN, 0)
        self._file = self.home / "stack.json"
        self._writing = threading.Lock()

    def start(
        self,
        progress: Callable[[int, int], None] = lambda done, total: None,
        proxied: Proxied | None = None,
    ) -> Addresses:
        """Start what is not running, all at a time; returns once all answer. Running servers are left alone.

        `progress(done, total)` follows the fetching of Kafka's jars. A Kafka that is started has the door `proxied`
        from then on. Raises ServerFailed, naming the server; ConfigurationError where the folder cannot be used.
        """
        with self._locked():
            fetched = jars.obtain(jars.default_cache(self.home), progress=progress)
            for attempt in range(1, START_ATTEMPTS + 1):
                try:
                    self._start_missing(fetched, proxied)
                    break
                except PortTaken:
                    if attempt == START_ATTEMPTS:
                        raise
        return self.last_addresses()

    def stop(self) -> None:
        """Stop all servers cleanly, leftovers of crashes too; what takes longer than 20 s is killed."""
        if not self._file.exists():
            return
        with self._locked(), ThreadPoolExecutor(len(NAMES)) as pool:
            list(pool.map(self._stop, NAMES))

    def running(self) -> dict[Name, Recorded | None]:
        """Each server's process; None where it is not running."""
        state = State.read(self._file)
        held = {name: state.processes.get(name) if state else None for name in NAMES}
        return {
            name: recorded if recorded and recorded.process() else None for name, recorded in held.items()
        }

    def addresses(self) -> Addresses | None:
        """Where the stack is reached; None unless all three servers run."""
        return self.last_addresses() if all(self.running().values()) else None

    def last_addresses(self) -> Addresses:
        """Where the stack is, or last was, reached. Raises ServerFailed if it was never started."""
        state = self._state()
        servers = self._servers(state)
        return Addresses(
            kafka_bootstrap=servers.kafka.bootstrap,
            postgres_dsn=servers.postgres.dsn,
            redis_url=servers.valkey.url,
            gateway_port=state.ports["gateway"],
            api_key=state.api_key,
        )

    def choose_gateway_port(self) -> int:
        """The gateway's port, another one if somebody else has taken it; to be called while no gateway runs."""
        with self._locked():
            state = self._state()
            port = choose({"gateway": state.ports["gateway"]})["gateway"]
            replace(state, ports={**state.ports, "gateway": port}).write(self._file)
        return port

    def kill(self, name: Name) -> None:
        """SIGKILL one server, as a crash would; `start` brings it back with its data."""
        end(self.running()[name], signal.SIGKILL)

    def log(self, name: Name) -> Path:
        """The server's log file."""
        return self.home / "logs" / f"{name}.log"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One start or stop at a time, over all processes."""
        try:
            (self.home / "logs").mkdir(parents=True, exist_ok=True)
            lock = (self.home / "lock").open("ab")
        except OSError as exc:
            raise ConfigurationError(
                f"{self.home} cannot be written to ({exc.strerror}): set RB_HOME."
            ) from exc
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _state(self) -> State:
        state = State.read(self._file)
        if state is None:
            raise ServerFailed(f"the embedded stack of {self.home} was never started: retail-brain up")
        return state

    def _servers(self, state: State, fetched: Sequence[Path] = ()) -> Servers:
        ports = state.ports
        return Servers(
            Kafka(self.home / "kafka", (ports["kafka"], ports["controller"]), tuple(fetched), state.proxied),
            Postgres(self.home / "postgres", (ports["postgres"],), self.home / "postgres.password"),
            Valkey(self.home / "valkey", (ports["valkey"],)),
        )

    def _start_missing(self, fetched: Sequence[Path], proxied: Proxied | None) -> None:
        missing = [name for name, recorded in self.running().items() if recorded is None]
        held = State.read(self._file)
        keep = {role for name in NAMES if name not in missing for role in ROLES[name]}
        remembered = dict(held.ports) if held else {}
        first = self._first_choice | remembered
        chosen = choose({role: port for role, port in first.items() if role not in keep})
        if "gateway" in remembered:  # whoever supervises the gateway finds out whether it still fits
            chosen["gateway"] = remembered["gateway"]
        state = State(
            first | chosen,
            held.api_key if held else secrets.token_urlsafe(24),
            held.processes if held else {},
            proxied or (held.proxied if held else None),
        )
        state.write(self._file)
        servers = self._servers(state, fetched)
        with ThreadPoolExecutor(len(NAMES)) as pool:
            # all are awaited before the first failure is raised, so that none is left half started
            started = [pool.submit(self._start, name, servers[name]) for name in missing]
        for one in started:
            one.result()

    def _start(self, name: Name, one: Server) -> None:
        server.start(one, self.log(name), lambda recorded: self._note(name, recorded))

    def _stop(self, name: Name) -> None:
        one = self._servers(self._state())[name]
        end(self.running()[name], one.stop_signal)
        server.end_leftovers(one)
        self._note(name, None)

    def _note(self, name: Name, recorded: Recorded | None) -> None:
        with self._writing:
            state = self._state()
            others = {other: held for other, held in state.processes.items() if other != name}
            replace(state, processes=others | ({name: recorded} if recorded else {})).write(self._file)

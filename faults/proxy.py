"""TCP proxies in between: what passes can be cut off, delayed and held up."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from infra.embedded.server import LOOPBACK

_CHUNK = 65_536  # bytes
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing sends a reset, as of a peer that is gone


class Proxy:
    """Passes on what comes to `port` of this machine to `target`, another of its ports, and what is answered.

    Used by any thread, but for what begins with an underscore, which is the business of the proxies' own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self.port = port
        self.target = 0
        self._loop = loop
        self._writers: set[asyncio.StreamWriter] = set()
        self._delays: list[float] = []
        self._held = 0
        self._passing = asyncio.Event()
        self._passing.set()

    def cut(self) -> int:
        """Reset all connections; returns how many."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Every byte takes so much longer, either way; what comes while others wait goes on with the next."""
        self._delays.append(seconds)
        try:
            yield
        finally:
            self._delays.remove(seconds)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Nothing passes; connections stay open, and new ones are taken."""
        self._loop.call_soon_threadsafe(self._hold, 1)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._hold, -1)

    def _hold(self, more: int) -> None:
        self._held += more
        if self._held:
            self._passing.clear()
        else:
            self._passing.set()

    async def _cut(self) -> int:
        count = len(self._writers) // 2  # each has one writer here and one there
        for writer in self._writers:
            raw: socket.socket = writer.get_extra_info("socket")
            with suppress(OSError):  # it ended by itself a moment ago
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        return count

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection, until either end closes it. A target that is away ends it at once."""
        writers = [writer]
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection(LOOPBACK, self.target)
            writers.append(back)
            self._writers.add(back)
            pumps = [asyncio.create_task(self._pump(*way)) for way in ((reader, back), (there, writer))]
            _, left = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in left:
                pump.cancel()
        except OSError:
            pass  # nobody listens there
        finally:
            self._writers.difference_update(writers)
            for one in writers:
                one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_CHUNK):
                await asyncio.sleep(sum(self._delays))
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # either end is gone, and with it the connection


class Proxies:
    """Some proxies by name, on a thread of their own, while entered."""

    def __init__(self, ports: dict[str, int]) -> None:
        """`ports` are what each listens on."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._by_name = {name: Proxy(self._loop, port) for name, port in ports.items()}
        self._listening: list[asyncio.Server] = []

    def __getitem__(self, name: str) -> Proxy:
        return self._by_name[name]

    def __enter__(self) -> Proxies:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    async def _listen(self) -> None:
        for one in self._by_name.values():
            self._listening.append(await asyncio.start_server(one._taken, LOOPBACK, one.port))

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for server in self._listening:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

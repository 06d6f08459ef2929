"""A bad line to Redis: passes bytes on, and can be cut, slowed or held up."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

CHUNK_BYTES = 64 * 1024


class Proxy:
    """Listens on a port of loopback in front of the unix socket of a Redis, which may come and go."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._writers: set[StreamWriter] = set()
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._delay_seconds = 0.0
        self._passing = asyncio.Event()
        self._passing.set()

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        """Serve for as long as the block lasts; gives the address for clients of Redis."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        finally:
            server.close()
            self._passing.set()
            self.cut()
            await asyncio.gather(*filter(None, self._tasks))

    def cut(self) -> None:
        """Break every connection; new ones are taken at once."""
        for writer in self._writers:
            writer.transport.abort()

    async def slow(self, *, delay_seconds: float, seconds: float) -> None:
        """Let every piece of data wait for a while."""
        self._delay_seconds = delay_seconds
        try:
            await asyncio.sleep(seconds)
        finally:
            self._delay_seconds = 0.0

    async def hold(self, *, seconds: float) -> None:
        """Pass nothing on for a while, and break nothing."""
        self._passing.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._passing.set()

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.transport.abort()
            return
        pair, task = {writer, inner_writer}, asyncio.current_task()
        self._writers |= pair
        self._tasks.add(task)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, inner_writer))
                group.create_task(self._pass_on(inner_reader, writer))
        finally:
            self._writers -= pair
            self._tasks.discard(task)

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._passing.wait()
                await asyncio.sleep(self._delay_seconds)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

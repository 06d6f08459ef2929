"""A load generator that is cheap beside the server it measures: prepared bytes out, a parser in."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop


@dataclass(frozen=True)
class Answer:
    """One answer: its status, its body, and the seconds from the first byte sent to the last received."""

    status: int
    body: bytes
    seconds: float
    retry_after: int | None = None


@dataclass(frozen=True)
class Load:
    """What a run of requests came to."""

    answers: Sequence[Answer]
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds


def get(path: str) -> bytes:
    """A GET request as bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(path: str, body: bytes, *, content_type: str, headers: Sequence[str] = ()) -> bytes:
    """A POST request as bytes."""
    head = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def run(
    address: str, requests: Iterable[bytes], *, connections: int, accepted: frozenset[int] = frozenset()
) -> Load:
    """Send every request, each connection one at a time, and wait for all answers.

    Raises RuntimeError when the server closes a connection or answers with an error that is not `accepted`.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(address, deque(requests), connections, accepted))


def run_at(address: str, requests: Iterable[bytes], *, per_second: float) -> Load:
    """Send the requests at a fixed rate; their seconds count from the moment when they were due."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_paced(address, iter(requests), per_second))


def run_beside(
    address: str, requests: Iterable[bytes], others: Iterable[bytes], *, per_second: float
) -> tuple[Load, Load]:
    """Send the requests one after the other, and the others at a fixed rate for as long as that takes."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run_beside(address, deque(requests), iter(others), per_second))


async def _run_beside(
    address: str, requests: deque[bytes], others: Iterator[bytes], per_second: float
) -> tuple[Load, Load]:
    paced = asyncio.create_task(_paced(address, others, per_second))
    load = await _run(address, requests, 1)
    paced.cancel()
    return load, await paced


async def _paced(address: str, requests: Iterator[bytes], per_second: float) -> Load:
    """Until this is cancelled, or there are no more requests."""
    free: list[_Connection] = []
    started = time.perf_counter()
    under_way: list[asyncio.Task[Answer]] = []
    with suppress(asyncio.CancelledError):
        for number, request in enumerate(requests):
            due = started + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            under_way.append(asyncio.create_task(_send_over(address, free, request, due)))
    answers = await asyncio.gather(*under_way)
    for connection in free:
        connection.close()
    return _checked(Load(answers, time.perf_counter() - started))


async def _send_over(address: str, free: list[_Connection], request: bytes, due: float) -> Answer:
    """Over the connection that was used last, or a new one; the server closes those that are idle."""
    while free and free[-1].is_closed:
        free.pop()
    connection = free.pop() if free else (await _open(address, 1))[0]
    answer = await connection.send(request)
    free.append(connection)
    return replace(answer, seconds=time.perf_counter() - due)


async def _run(
    address: str, requests: deque[bytes], connections: int, accepted: frozenset[int] = frozenset()
) -> Load:
    opened = await _open(address, connections)
    started = time.perf_counter()
    shares = await asyncio.gather(*(connection.drain(requests) for connection in opened))
    seconds = time.perf_counter() - started
    return _checked(Load([answer for share in shares for answer in share], seconds), accepted)


async def _open(address: str, connections: int) -> list[_Connection]:
    url = urlsplit(address)
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(_Connection, url.hostname or "127.0.0.1", url.port or 80))[1]
        for _ in range(connections)
    ]


def _checked(load: Load, accepted: frozenset[int] = frozenset()) -> Load:
    bad = (answer for answer in load.answers if answer.status >= 400 and answer.status not in accepted)
    wrong = next(bad, None)
    if wrong:
        raise RuntimeError(f"the server answered {wrong.status}: {wrong.body[:500]!r}")
    return load


class _Connection(asyncio.Protocol):
    """One kept-alive connection with one request under way; also the callbacks of `httptools`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._answer: asyncio.Future[Answer] | None = None
        self._retry_after: int | None = None

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(RuntimeError(f"the server closed the connection: {exc}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self._retry_after = int(value)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        seconds = time.perf_counter() - self._started
        if self._answer is not None:
            status = self._parser.get_status_code()
            self._answer.set_result(Answer(status, bytes(self._body), seconds, self._retry_after))

    async def drain(self, requests: deque[bytes]) -> list[Answer]:
        answers = []
        while requests:
            answers.append(await self.send(requests.popleft()))
        self.close()
        return answers

    @property
    def is_closed(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()

    async def send(self, request: bytes) -> Answer:
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._retry_after = None
        self._started = time.perf_counter()
        self._transport.write(request)
        return await self._answer

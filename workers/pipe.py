"""What parent and child say to each other over a socket pair: framed JSON with raw bytes beside it.

A frame is `<header length> <number of blobs> <length of each blob>` as little-endian 32-bit numbers, then the
header (one message as JSON), then the blobs: pixels on the way down, relevance maps on the way up.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from jobs.catalogue import ModelCard
from jobs.job import Job, Lane, Message
from jobs.result import Draft, Outcome

MAX_HEADER_BYTES = 64 * 2**20
MAX_BLOBS = 2**20
DEVICE_FAILED = 70  # exit status of a child whose device is of no use any more
STREAM_LIMIT_BYTES = 4 * 2**20
_COUNTS = struct.Struct("<II")


class Work(Message):
    """Down: one batch. `images` says for each job which blobs hold the pixels of its images, in their order.

    Equal images travel once. `lanes` are those of the jobs: who shares the device with whom.
    """

    type: Literal["work"] = "work"
    batch: int
    jobs: tuple[Job, ...]
    images: tuple[tuple[int, ...], ...]
    expected_seconds: float = Field(0.0, ge=0, description="How long the device should work on it.")
    lanes: tuple[Lane, ...]


class Cancel(Message):
    """Down: nobody wants these jobs of a batch any more."""

    type: Literal["cancel"] = "cancel"
    batch: int
    jobs: tuple[str, ...]


class Ready(Message):
    """Up, first of all: the models that can be served, and the device they run on."""

    type: Literal["ready"] = "ready"
    models: tuple[ModelCard, ...]
    device: str


class Turn(Message):
    """Up: from now on this batch has the device; all others wait."""

    type: Literal["turn"] = "turn"
    batch: int


class Progress(Message):
    """Up: how much of the batch is done, 0 to 1. The blobs are the maps of the drafts, in their order."""

    type: Literal["progress"] = "progress"
    batch: int
    fraction: float
    drafts: tuple[Draft, ...] = ()


class Footprint(Message):
    """What a batch took of the device's memory, where that can be read.

    `largest` is the most jobs that ran together: fewer than the batch has where it did not fit as a whole.
    The process held `held_bytes` before and `peak_bytes` at most, and could have held `room_bytes`.
    """

    largest: int
    held_bytes: int | None = None
    peak_bytes: int | None = None
    room_bytes: int | None = None


class Answers(Message):
    """Up: how every job of the batch ended. `maps` names the blobs, job after job."""

    type: Literal["answers"] = "answers"
    batch: int
    outcomes: tuple[Outcome, ...]
    maps: tuple[tuple[str, ...], ...]
    seconds: float = Field(description="Time that the batch had the device.")
    footprint: Footprint | None = None


class Abandoned(Message):
    """Up: the batch was given up because all its jobs were cancelled."""

    type: Literal["abandoned"] = "abandoned"
    batch: int


Down = Annotated[Work | Cancel, Field(discriminator="type")]
Upward = Ready | Turn | Progress | Answers | Abandoned
Up = Annotated[Upward, Field(discriminator="type")]
_DOWN: TypeAdapter[Work | Cancel] = TypeAdapter(Down)
_UP: TypeAdapter[Upward] = TypeAdapter(Up)


class PipeBrokenError(Exception):
    """The other side is gone, or says what cannot be a frame."""


class ChildEnd:
    """The child's end: blocking, read by one thread; any thread may write."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self._writing = threading.Lock()

    def send(self, message: Upward, blobs: Sequence[bytes] = ()) -> None:
        """Write one frame; raises PipeBrokenError when the parent is gone."""
        try:
            with self._writing:
                self._connection.sendall(b"".join([_head(message, blobs), *blobs]))
        except OSError as error:
            raise PipeBrokenError(str(error)) from error

    def receive(self) -> tuple[Work | Cancel, list[bytes]]:
        """The next frame; raises PipeBrokenError at the end of the stream and for what is no frame."""
        n_header, n_blobs = _counts(self._read(_COUNTS.size))
        lengths = struct.unpack(f"<{n_blobs}I", self._read(4 * n_blobs))
        try:
            message = _DOWN.validate_json(self._read(n_header))
        except ValueError as error:
            raise PipeBrokenError(str(error)) from error
        return message, [self._read(length) for length in lengths]

    def close(self) -> None:
        """Give the socket back."""
        self._file.close()
        self._connection.close()

    def _read(self, n_bytes: int) -> bytes:
        try:
            data = self._file.read(n_bytes)
        except OSError as error:
            raise PipeBrokenError(str(error)) from error
        if len(data) < n_bytes:
            raise PipeBrokenError("the parent closed the pipe")
        return data


class ParentEnd:
    """The parent's end: asyncio, read by one task."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, connection: socket.socket) -> ParentEnd:
        """Take over a connected socket."""
        loop = asyncio.get_running_loop()
        reader = _PatientReader(limit=STREAM_LIMIT_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(lambda: protocol, sock=connection)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def send(self, message: Work, blobs: Sequence[bytes]) -> None:
        """Write one frame; returns when the child has read most, raises PipeBrokenError when it is gone."""
        try:
            # One write a frame: frames of two tasks never mix.
            self._writer.writelines([_head(message, blobs), *blobs])
            await self._writer.drain()
        except OSError as error:
            raise PipeBrokenError(str(error)) from error

    def tell(self, message: Cancel) -> None:
        """Leave one small frame without waiting; a child that is gone, or reads nothing, does not matter."""
        if not self._writer.is_closing():
            self._writer.write(_head(message, ()))

    async def receive(self) -> tuple[Upward, list[bytes]]:
        """The next frame; raises PipeBrokenError at the end of the stream and for what is no frame."""
        try:
            n_header, n_blobs = _counts(await self._reader.readexactly(_COUNTS.size))
            lengths = struct.unpack(f"<{n_blobs}I", await self._reader.readexactly(4 * n_blobs))
            message = _UP.validate_json(await self._reader.readexactly(n_header))
            return message, [await self._reader.readexactly(length) for length in lengths]
        except (OSError, EOFError, ValueError) as error:
            raise PipeBrokenError(str(error)) from error

    def close(self) -> None:
        """Give the socket back."""
        self._writer.close()


class _PatientReader(asyncio.StreamReader):
    """Gives all that has arrived before it says that the connection broke.

    The last words of a child say which batch took it down.
    """

    def set_exception(self, exc: Exception) -> None:  # noqa: ARG002 - the words of asyncio
        self.feed_eof()


def _head(message: Message, blobs: Sequence[bytes]) -> bytes:
    header = message.model_dump_json().encode()
    lengths = struct.pack(f"<{len(blobs)}I", *map(len, blobs))
    return _COUNTS.pack(len(header), len(blobs)) + lengths + header


def _counts(data: bytes) -> tuple[int, int]:
    n_header, n_blobs = _COUNTS.unpack(data)
    if n_header > MAX_HEADER_BYTES or n_blobs > MAX_BLOBS:
        raise PipeBrokenError("what arrived is not a frame")
    return n_header, n_blobs

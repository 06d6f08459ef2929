"""One decoder child, seen from the API: a process, a socket to it, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.uploads.formats import UploadLimits
from app.uploads.replies import LENGTH, MAX_HEAD_BYTES, GarbledError, Head, Refusal, Steps, unpacked

ROOT = Path(__file__).resolve().parents[2]
SMALL = 1 << 16  # a request of this size goes out in one piece


class ChildLostError(Exception):
    """The child died, or says what no sound child says."""


@dataclass(frozen=True)
class Decoded:
    """Checked pixels `(H, W)` or `(H, W, 3)`, C order, uint8 or uint16, and what was done to get them."""

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    steps: Steps


class Child:
    """Starts at once; `ready` waits until it can decode."""

    def __init__(self, limits: UploadLimits) -> None:
        self._limits = limits
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                _command(limits, theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C at a terminal is for the API, which then stops its children
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """False once the process has ended, for whatever reason."""
        return self._process.poll() is None

    async def ready(self) -> None:
        """Returns when the child has loaded its libraries; raises ChildLostError when it cannot."""
        await self._receive(bytearray(LENGTH.size))

    async def ask(self, data: bytes) -> tuple[Decoded | Refusal, bool]:
        """The pixels of a file, or why there are none; and whether the child ends after this answer.

        Raises ChildLostError. After that, or when this call was cancelled, the child is of no more use.
        """
        await self._send(data)
        size = bytearray(LENGTH.size)
        await self._receive(size)
        length = LENGTH.unpack(size)[0]
        if length > MAX_HEAD_BYTES:
            raise ChildLostError
        content = bytearray(length)
        await self._receive(content)
        try:
            head = unpacked(bytes(content), self._limits.max_pixels)
        except GarbledError as error:
            raise ChildLostError from error
        if isinstance(head, Refusal):
            return head, head.last
        return Decoded(await self._pixels(head), head.steps), head.last

    def kill(self) -> None:
        """Ends the process at once; `close` still has to follow."""
        self._process.kill()

    async def close(self) -> None:
        """Kills the process and waits for its end; nobody may be asking it anything."""
        self.kill()
        with contextlib.suppress(ChildLostError):
            leftover = bytearray(SMALL)
            while True:
                await self._receive_some(memoryview(leftover))
        self._process.wait()  # its socket is closed, so it is as good as gone
        self._socket.close()

    async def _pixels(self, head: Head) -> NDArray[np.uint8] | NDArray[np.uint16]:
        raw = np.empty(head.n_bytes, np.uint8)
        await self._receive(raw.data)
        pixels: NDArray[np.uint8] | NDArray[np.uint16]
        pixels = raw.view(np.uint16) if head.dtype == "uint16" else raw
        return pixels.reshape(head.shape)

    async def _send(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        size = LENGTH.pack(len(data))
        try:
            if len(data) <= SMALL:
                await loop.sock_sendall(self._socket, size + data)
            else:
                await loop.sock_sendall(self._socket, size)
                await loop.sock_sendall(self._socket, data)
        except OSError as error:
            raise ChildLostError from error

    async def _receive(self, target: bytearray | memoryview) -> None:
        view = memoryview(target)
        while view:
            view = view[await self._receive_some(view) :]

    async def _receive_some(self, view: memoryview) -> int:
        try:
            count = await asyncio.get_running_loop().sock_recv_into(self._socket, view)
        except OSError as error:
            raise ChildLostError from error
        if not count:
            raise ChildLostError
        return count


def _command(limits: UploadLimits, descriptor: int) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "app.uploads.decoding"),
        *("--fd", str(descriptor)),
        *("--max-bytes", str(limits.max_bytes)),
        *("--max-pixels", str(limits.max_pixels)),
        *("--max-frames", str(limits.max_frames)),
        *("--memory-bytes", str(limits.memory_bytes)),
    ]


def _environment() -> dict[str, str]:
    """Nothing of ours: settings and secrets stay in the API; one thread is enough for one picture."""
    return {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

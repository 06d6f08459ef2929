"""One child process as its parent sees it: started, spoken to, killed and reaped."""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress

from jobs.lifeline import die_with_parent
from workers.pipe import Cancel, ParentEnd, Upward, Work

LAST_SECONDS = 0.25


class Child:
    """A process that computes; it is told by frames what to do, and can be killed at any time."""

    def __init__(self, process: Process, pipe: ParentEnd) -> None:
        self._process = process
        self._pipe = pipe

    @classmethod
    async def start(cls, command: Sequence[str]) -> Child:
        """Run `command --fd N`, where N is the child's end of a fresh socket pair.

        The child dies with this thread, and Ctrl-C does not reach it.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            pipe = await ParentEnd.over(ours)
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    "--fd",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
            except BaseException:
                pipe.close()
                raise
        return cls(process, pipe)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    async def send(self, work: Work, blobs: Sequence[bytes]) -> None:
        """Hand a batch over; raises PipeBrokenError when the child is gone."""
        await self._pipe.send(work, blobs)

    def tell(self, message: Cancel) -> None:
        """Say something without waiting, even to a child that does not listen."""
        self._pipe.tell(message)

    async def receive(self) -> tuple[Upward, list[bytes]]:
        """The child's next frame; raises PipeBrokenError when there will be none."""
        return await self._pipe.receive()

    def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> int:
        """Close the pipe, kill the process if it still runs then, and reap it; returns its exit status.

        One that ends by itself gets a moment, since its status says why; killing it would hide that.
        """
        self._pipe.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                return await self._process.wait()
        self.kill()
        return await self._process.wait()

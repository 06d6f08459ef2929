"""Untrusted bytes become checked pixels, in child processes that may be killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from app.uploads.child import Child, ChildLostError, Decoded
from app.uploads.formats import UploadLimits, format_of
from app.uploads.replies import Refusal
from jobs.errors import Damaged, Unavailable

__all__ = ["Decoded", "Decoder", "UploadLimits"]

log = logging.getLogger(__name__)


class Decoder:
    """Decodes up to `processes` uploads at a time; one child more is kept warm to take a dead one's place.

    A child that hangs, dies or runs short of memory is replaced in the background, together with whatever
    the file did to it. `start` and `stop` belong to one event loop.
    """

    def __init__(self, limits: UploadLimits | None = None, processes: int = 1) -> None:
        self.limits = limits or UploadLimits()
        self.processes = processes
        self._children: set[Child] = set()
        self._replacements: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._empty = asyncio.Event()

    @property
    def pids(self) -> frozenset[int]:
        """Process ids of the children, those that are starting or ending included."""
        return frozenset(child.pid for child in self._children)

    async def start(self) -> None:
        """Returns when all children are ready; raises RuntimeError when they cannot be started."""
        self._stopping.clear()
        self._slots = asyncio.Semaphore(self.processes)
        # The last one used has warm caches. None: there will be no more.
        self._idle: asyncio.LifoQueue[Child | None] = asyncio.LifoQueue()
        try:
            await asyncio.gather(*(self._add() for _ in range(self.processes + 1)))
        except ChildLostError as error:
            await self.stop()
            raise RuntimeError("The decoder processes cannot be started.") from error

    async def stop(self) -> None:
        """Kills all children and waits for their end; calls of `decode` under way end with Unavailable."""
        self._stopping.set()
        for child in self._children:
            child.kill()
        while not self._idle.empty():
            idle = self._idle.get_nowait()
            if idle is not None:
                await self._end(idle)
        self._idle.put_nowait(None)  # wakes who waits for a child
        while self._children:  # those that were busy are ended by whoever used them
            self._empty.clear()
            await self._empty.wait()
        await asyncio.gather(*self._replacements)

    async def decode(self, data: bytes) -> Decoded:
        """The pixels of one upload; raises TooLarge, UnknownFormat or Damaged, each within `limits.seconds`
        of its turn, or Unavailable when its turn does not come within `limits.wait_seconds`."""
        format_of(data, self.limits)
        child = await self._turn()
        healthy = False
        try:
            async with asyncio.timeout(self.limits.seconds):
                answer, last = await child.ask(data)
            healthy = not last
        except TimeoutError as error:
            raise Damaged(
                f"The picture takes longer than {self.limits.seconds:g} s to decode; try a smaller one."
            ) from error
        except ChildLostError as error:
            if self._stopping.is_set():
                raise _stopped() from error
            raise Damaged("The picture is damaged: decoding it crashed the decoder.") from error
        finally:
            self._give_back(child, healthy=healthy)
        if isinstance(answer, Refusal):
            raise answer.error
        return answer

    async def _turn(self) -> Child:
        """A child that lives; the caller gives it back."""
        try:
            async with asyncio.timeout(self.limits.wait_seconds):
                await self._slots.acquire()
                try:
                    return await self._living()
                except BaseException:
                    self._slots.release()
                    raise
        except TimeoutError as error:
            raise Unavailable("Too many uploads are waiting to be decoded.", retry_after=1) from error

    async def _living(self) -> Child:
        while True:
            child = await self._idle.get()
            if child is None:
                self._idle.put_nowait(None)
                raise _stopped()
            if child.alive:
                return child
            self._replace(child)  # something else ended it while it was idle

    def _give_back(self, child: Child, *, healthy: bool) -> None:
        if healthy and not self._stopping.is_set():
            self._idle.put_nowait(child)
        else:
            self._replace(child)
        self._slots.release()

    def _replace(self, child: Child) -> None:
        task = asyncio.get_running_loop().create_task(self._replaced(child))
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)

    async def _replaced(self, child: Child) -> None:
        await self._end(child)
        delay_seconds = 0.1
        while not self._stopping.is_set():
            try:
                await self._add()
            except (ChildLostError, OSError):
                if self._stopping.is_set():
                    return
                log.warning("a decoder process cannot be started; next attempt in %.1f s", delay_seconds)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), delay_seconds)
                delay_seconds = min(5.0, 2 * delay_seconds)
            else:
                log.info("a decoder process was replaced")
                return

    async def _add(self) -> None:
        child = Child(self.limits)
        self._children.add(child)
        try:
            await child.ready()
        except BaseException:
            await self._end(child)
            raise
        if self._stopping.is_set():
            await self._end(child)
        else:
            self._idle.put_nowait(child)

    async def _end(self, child: Child) -> None:
        await child.close()
        self._children.discard(child)
        if not self._children:
            self._empty.set()


def _stopped() -> Unavailable:
    return Unavailable("The service is stopping.", retry_after=1)

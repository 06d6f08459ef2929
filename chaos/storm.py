"""Does the harm that a plan names, and notes what it hit."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import TypeVar

import psutil
from redis.exceptions import RedisError

from chaos.broken import Defect
from chaos.fleet import Fleet, Slot
from chaos.history import Blow, Harm, History
from chaos.plan import Plan, schedule
from chaos.proxy import Proxy
from chaos.witness import Witness
from jobs.embedded import EmbeddedRedis
from jobs.job import FINISHED, State

LOOK_SECONDS = 0.03
LOOK_LONGEST_SECONDS = 60.0
OTHERS = 2
WAKE_SECONDS = 0.05
DELAY_SECONDS = 0.05
SLOW_SECONDS = 2.0
HOLD_SHARE = 0.75  # of a lease: long enough that some leases lapse while their holder lives

T = TypeVar("T")


@dataclass
class Storm:
    """One run's harm."""

    plan: Plan
    random: Random
    fleet: Fleet
    server: EmbeddedRedis
    proxy: Proxy
    witness: Witness
    history: History
    _aside: set[asyncio.Task[None]] = field(default_factory=set)

    async def rage(self) -> None:
        """Do everything in its time, and return when the last of it is over."""
        actions: dict[Harm, Callable[[], Coroutine[None, None, None]]] = {
            Harm.WORKER_KILLED: self._kill_worker,
            Harm.CHILD_KILLED: self._kill_child,
            Harm.WORKER_FROZEN: self._freeze_worker,
            Harm.REDIS_KILLED: self._kill_redis,
            Harm.API_KILLED: self._kill_api,
            Harm.CUT: self._cut,
            Harm.SLOWED: self._slow,
            Harm.HELD: self._hold,
        }
        begin = time.monotonic()
        for at, harm in schedule(self.plan, self.random):
            await asyncio.sleep(max(0.0, begin + at - time.monotonic()))
            await actions[harm]()
        await asyncio.gather(*self._aside)

    async def _kill_worker(self) -> None:
        slot, jobs = await self._busy_worker()
        self._note(Harm.WORKER_KILLED, slot.name, jobs)
        slot.kill()
        slot.start()

    async def _kill_child(self) -> None:
        slot, jobs = await self._busy_worker()
        child = slot.child()
        if child is not None:
            self._note(Harm.CHILD_KILLED, slot.name, jobs)
            with suppress(psutil.NoSuchProcess):
                child.kill()
        slot.signal(signal.SIGCONT)
        if child is None:  # it has just ended by itself
            await self._kill_child()

    async def _freeze_worker(self) -> None:
        slot, jobs = await self._busy_worker()
        child = slot.child()
        if child is not None:
            with suppress(psutil.NoSuchProcess):
                child.suspend()
        self._note(Harm.WORKER_FROZEN, slot.name, jobs)
        slot.frozen = True
        self._do_aside(self._wake(slot, child, jobs, len(self.history.blows) - 1))

    async def _wake(self, slot: Slot, child: psutil.Process | None, jobs: Sequence[str], blow: int) -> None:
        """Let a worker go on once others have done its jobs; its child first, so that there is an answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * self.plan.lease_seconds):
                await self._until_ended(jobs)
        if child is not None:
            with suppress(psutil.NoSuchProcess):
                child.resume()
                await asyncio.sleep(WAKE_SECONDS)
        slot.signal(signal.SIGCONT)
        slot.frozen = False
        frozen = self.history.blows[blow]
        self.history.blows[blow] = replace(frozen, over=time.monotonic())

    async def _kill_redis(self) -> None:
        begin = time.monotonic()
        self.server.kill()
        self.server.start()  # it would die with any other thread than this one
        self.history.blows.append(Blow(begin, Harm.REDIS_KILLED, over=time.monotonic()))

    async def _kill_api(self) -> None:
        slot = self.random.choice(self.fleet.apis)
        self._note(Harm.API_KILLED)
        slot.kill()
        slot.start()

    async def _cut(self) -> None:
        self._note(Harm.CUT)
        self.proxy.cut()

    async def _slow(self) -> None:
        self._note(Harm.SLOWED)
        self._do_aside(self.proxy.slow(delay_seconds=DELAY_SECONDS, seconds=SLOW_SECONDS))

    async def _hold(self) -> None:
        self._note(Harm.HELD)
        self._do_aside(self.proxy.hold(seconds=HOLD_SHARE * self.plan.lease_seconds))

    async def _busy_worker(self) -> tuple[Slot, tuple[str, ...]]:
        """A worker that computes something, and all the jobs that it holds. Its parent is stopped.

        Only so is it certain what it holds: nothing is committed between the look and the blow. There are
        always `OTHERS` that could take its jobs over; on a slow machine that takes some waiting.
        """
        deadline = time.monotonic() + LOOK_LONGEST_SECONDS
        while time.monotonic() < deadline:
            slot = await self._one()
            if slot is not None:
                slot.signal(signal.SIGSTOP)
                jobs = (await self._ask(self.witness.held) or {}).get(slot.name, {})
                if self._is_busy(jobs):
                    return slot, tuple(jobs)
                slot.signal(signal.SIGCONT)
            await asyncio.sleep(LOOK_SECONDS)
        raise TimeoutError(f"no worker had anything to do for {LOOK_LONGEST_SECONDS:g} s")

    async def _one(self) -> Slot | None:
        """One of those that seem to be busy, if enough others serve."""
        present = await self._ask(self.witness.present) or set()
        serving = [
            slot
            for slot in self.fleet.workers
            if slot.name in present and slot.pid is not None and not slot.frozen
        ]
        jobs = await self._ask(self.witness.held) or {}
        busy = [slot for slot in serving if self._is_busy(jobs.get(slot.name, {}))]
        return self.random.choice(busy) if busy and len(serving) > OTHERS else None

    async def _ask(self, question: Callable[[], T]) -> T | None:
        """What Redis says; None while it is away."""
        try:
            return await asyncio.to_thread(question)
        except (RedisError, OSError):
            return None

    def _is_busy(self, jobs: dict[str, State]) -> bool:
        """Whether a worker computes; of one that acknowledges first nobody knows that, so any will do."""
        if self.plan.defect is Defect.ACKS_FIRST:
            return True
        return State.RUNNING in jobs.values()

    async def _until_ended(self, jobs: Sequence[str]) -> None:
        while True:
            states = await self._ask(partial(self.witness.states, jobs)) or {}
            if len(states) == len(jobs) and FINISHED.issuperset(states.values()):
                return
            await asyncio.sleep(LOOK_SECONDS)

    def _note(self, harm: Harm, victim: str = "", jobs: Sequence[str] = ()) -> None:
        self.history.blows.append(Blow(time.monotonic(), harm, victim, tuple(jobs)))

    def _do_aside(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(errand)
        self._aside.add(task)

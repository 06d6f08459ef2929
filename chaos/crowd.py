"""Clients of the service: they post, wait for their answers, and look at them again later."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from chaos.client import PATH, Client
from chaos.history import Accepted, History
from chaos.orders import MODELS, N_PIXELS, Act, Order, order, png, relevance
from chaos.plan import Plan
from jobs.job import FINISHED, Lane, State

METHODS = ("saliency", "grad-cam")  # they ask different things of a network, so they share no batch
MOST_WAITING = 300  # requests whose jobs are waited for at once
WAIT_SECONDS = 5
REREADS_PER_SECOND = 20
AUDITORS = 24
MAP_SHARE = 0.1

CRASH_SHARE, HANG_SHARE, WORK_SHARE, MANY_SHARE = 0.004, 0.002, 0.25, 0.02
WORK_SECONDS = (0.1, 0.6)
MANY = 8


@dataclass(frozen=True)
class Crowd:
    """Everybody who uses the API through one client."""

    plan: Plan
    random: Random
    client: Client
    history: History

    async def use(self, over: asyncio.Event) -> None:
        """Post at the plan's rate until it is over and enough was posted, and wait for all answers."""
        rereading = asyncio.create_task(self._reread())
        try:
            begin, room = time.monotonic(), asyncio.Semaphore(MOST_WAITING)
            async with asyncio.TaskGroup() as group:
                while not over.is_set() or len(self.history.accepted) < self.plan.jobs:
                    await room.acquire()
                    task = group.create_task(self._visit(time.monotonic() - begin))
                    task.add_done_callback(lambda _: room.release())
                    await asyncio.sleep(self.random.expovariate(self.plan.rate))
        finally:
            rereading.cancel()

    async def audit(self) -> None:
        """Look at every accepted job once more, and at the maps of some."""
        jobs = iter([one.job for one in self.history.accepted])
        async with asyncio.TaskGroup() as group:
            for _ in range(AUDITORS):
                group.create_task(self._audit(jobs))

    async def _visit(self, seconds: float) -> None:
        """Post one image, with one seed or with many at once, and wait."""
        wish = self._wish(seconds)
        fields = {"model": self.random.choice(MODELS)}
        spec = {"method": self.random.choice(METHODS), "lane": self.random.choice(list(Lane))}
        file = {"image": ("image.png", png(wish.pixels), "image/png")}
        seeds = range(MANY if self.random.random() < MANY_SHARE else 1)
        if len(seeds) > 1:
            fields["specs"] = json.dumps([spec | {"seed": seed} for seed in seeds])
            jobs = await self.client.post(f"{PATH}:batch", files=file, data=fields)
        else:
            jobs = await self.client.post(PATH, files=file, data=fields | spec)
        now = time.monotonic()
        self.history.accepted += [
            Accepted(now, job, wish.act, relevance(wish.pixels, seed))
            for job, seed in zip(jobs, seeds, strict=False)
        ]
        await asyncio.gather(*map(self._wait, jobs))

    def _wish(self, seconds: float) -> Order:
        """Something to explain. Nothing hangs in the second half, so that the end comes soon."""
        noise = self.random.randbytes(N_PIXELS)
        dice = self.random.random() if self.plan.poison else 1.0
        if dice < CRASH_SHARE:
            return order(noise, act=Act.CRASH)
        if dice < CRASH_SHARE + HANG_SHARE and seconds < self.plan.seconds / 2:
            return order(noise, act=Act.HANG)
        works = self.random.random() < WORK_SHARE
        return order(noise, work_seconds=self.random.uniform(*WORK_SECONDS) if works else 0.0)

    async def _wait(self, job: str) -> None:
        """Follow one job to its end, as long as patience lasts."""
        deadline = time.monotonic() + self.plan.patience_seconds
        while time.monotonic() < deadline:
            seen = await self.client.look(job, wait_seconds=WAIT_SECONDS)
            if seen.state is None or seen.state in FINISHED:
                return

    async def _reread(self) -> None:
        """Look again and again at what is done."""
        while True:
            await asyncio.sleep(1 / REREADS_PER_SECOND)
            if self.client.ended:
                await self.client.look(self.random.choice(list(self.client.ended)))

    async def _audit(self, jobs: Iterator[str]) -> None:
        for job in jobs:
            seen = await self.client.look(job)
            if seen.state is State.DONE and self.random.random() < MAP_SHARE:
                await self.client.look_at_map(job)

"""One run: everything is started, used and harmed side by side, ended, and judged."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import psutil

from chaos.client import Client
from chaos.crowd import Crowd
from chaos.fleet import NAMESPACE, Fleet
from chaos.history import History
from chaos.plan import Plan
from chaos.proxy import Proxy
from chaos.report import Figures, figures
from chaos.storm import Storm
from chaos.verdict import Verdict, judge
from chaos.witness import Witness
from jobs.embedded import EmbeddedRedis
from jobs.keys import Keys

START_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Site:
    """A running service with all that it is used and harmed through."""

    server: EmbeddedRedis
    witness: Witness
    proxy: Proxy
    fleet: Fleet
    client: Client

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """Every process that runs, with a name."""
        yield "redis", psutil.Process(self.server.pid)
        yield from self.fleet.processes()


async def run(plan: Plan, *, bound_seconds: float, logs: Path | None) -> tuple[Figures, Verdict]:
    """What a run of this plan comes to. Nothing is left of it but the logs, if a folder is given for them."""
    history, begin = History(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rationale-chaos-") as folder:
        async with site(plan, Path(folder), logs or Path(folder), history) as place:
            await _go_through(plan, place, history)
            verdict = judge(history)
            found = figures(
                plan,
                history,
                verdict,
                seconds=time.monotonic() - begin,
                logs=[slot.log for slot in place.fleet.workers],
                unfinished=place.witness.unfinished(),
                bound_seconds=bound_seconds,
            )
    return found, verdict


async def _go_through(plan: Plan, place: Site, history: History) -> None:
    crowd = Crowd(plan, Random(f"crowd {plan.seed}"), place.client, history)
    storm = Storm(
        plan=plan,
        random=Random(f"storm {plan.seed}"),
        fleet=place.fleet,
        server=place.server,
        proxy=place.proxy,
        witness=place.witness,
        history=history,
    )
    over = asyncio.Event()
    with place.witness.watching(history):
        async with asyncio.TaskGroup() as group:
            group.create_task(crowd.use(over))
            await storm.rage()
            over.set()
        await _drain(plan, place.witness)
        await crowd.audit()
    history.told += place.witness.told([one.job for one in history.accepted])


async def _drain(plan: Plan, witness: Witness) -> None:
    """Wait until no job is unfinished, or their number has stayed for longer than one can hang."""
    left, since = -1, time.monotonic()
    while left and time.monotonic() - since < plan.drain_seconds:
        now_left = await asyncio.to_thread(witness.unfinished)
        if now_left != left:
            left, since = now_left, time.monotonic()
        await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def site(plan: Plan, folder: Path, logs: Path, history: History) -> AsyncIterator[Site]:
    """Start everything, and end everything with the block."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(EmbeddedRedis(folder / "redis"))
        proxy = Proxy(Path(urlsplit(server.url).path))
        bad_line = await stack.enter_async_context(proxy.listen())
        fleet = Fleet(plan, logs, [server.url, server.url, bad_line])
        stack.callback(fleet.end)
        fleet.start()
        random = Random(f"client {plan.seed}")
        client = await stack.enter_async_context(Client(fleet.addresses, history, random))
        async with asyncio.timeout(START_SECONDS):
            await client.ready(workers=plan.workers)
        yield Site(server, Witness(server.url, Keys(NAMESPACE)), proxy, fleet, client)

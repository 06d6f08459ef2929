"""What the HTTP room knows of a worker: its card, told again with every heartbeat."""

from __future__ import annotations

import asyncio
import os
import socket
from functools import partial

from jobs.catalogue import Catalogue, WorkerCard
from jobs.job import ModelRef
from jobs.registry import Registry
from workers.parent.retries import persist
from workers.pipe import Ready

HEARTBEAT_SECONDS = 2.0


class Presence:
    """Announces a worker from the first time that its child is ready until it is withdrawn."""

    def __init__(self, registry: Registry, catalogue: Catalogue, worker_id: str) -> None:
        self._registry = registry
        self._catalogue = catalogue
        self._worker_id = worker_id
        self._serving = asyncio.Event()
        self._card: WorkerCard | None = None

    @property
    def models(self) -> tuple[ModelRef, ...]:
        """What can be claimed."""
        return tuple(model.ref for model in self._card.models) if self._card else ()

    def begin(self, ready: Ready) -> None:
        """The child serves these models on this device."""
        self._card = WorkerCard(
            id=self._worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            device=ready.device,
            catalogue_digest=self._catalogue.digest,
            models=ready.models,
        )
        self._serving.set()

    async def run(self) -> None:
        """Tell it every two seconds, until this is cancelled."""
        while True:
            await self._serving.wait()
            if self._card is not None:
                await persist(partial(self._registry.announce, self._card), "announce")
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def withdraw(self) -> None:
        """The worker serves nothing any more, or not now."""
        self._serving.clear()
        await persist(partial(self._registry.retire, self._worker_id), "retire")

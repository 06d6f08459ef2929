"""The client for programs that run an event loop."""

from __future__ import annotations

import asyncio
from asyncio import sleep as pause
from collections import deque
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from types import TracebackType
from typing import TypeVar, Unpack

import httpx
from PIL import Image as Pillow

from jobs.catalogue import MethodCard, MetricCard
from jobs.errors import RationaleError
from rationale import flows
from rationale.calls import Call, Flow, Pause
from rationale.documents import LiveModel
from rationale.explanations import Explained, Explanation
from rationale.flows import Question, in_bulk
from rationale.images import Image
from rationale.progress import Progress, shown
from rationale.sending import Asked, client_words, words_of

T = TypeVar("T")


class AsyncClient:
    """As `Client`, with calls that are awaited."""

    def __init__(
        self, url: str, key: str | None = None, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """As for `Client`."""
        self._http = httpx.AsyncClient(transport=transport, **client_words(url, key))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def explain(
        self,
        image: Image,
        *,
        wait: float | None = None,
        progress: Progress = False,
        **question: Unpack[Asked],
    ) -> Explanation:
        """As `Client.explain`."""
        asked = Question(**question)
        with shown(progress, asked.method) as tell:
            return await self._run(flows.explain(image, asked, wait, tell))

    async def explain_many(
        self,
        images: Iterable[Image],
        *,
        in_flight: int = 16,
        progress: Progress = False,
        **question: Unpack[Asked],
    ) -> AsyncIterator[Explanation | RationaleError]:
        """As `Client.explain_many`."""
        asked = in_bulk(Question(**question))

        async def one(image: Image) -> Explanation | RationaleError:
            try:
                return await self._run(flows.explain(image, asked, None, None))
            except RationaleError as error:
                return error

        with shown(progress, asked.method, images) as tell:
            waiting, done = iter(images), 0
            running: deque[asyncio.Task[Explanation | RationaleError]] = deque()
            try:
                while True:
                    more = islice(waiting, in_flight - len(running))
                    running.extend(asyncio.create_task(one(image)) for image in more)
                    if not running:
                        return
                    found = await running.popleft()
                    done += 1
                    if tell is not None:
                        tell(done)
                    yield found
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    async def get(
        self,
        explanation_id: str,
        *,
        wait: float | None = None,
        overlay: flows.Look | None = None,
        progress: Progress = False,
    ) -> Explanation:
        """As `Client.get`."""
        with shown(progress, explanation_id) as tell:
            return await self._run(flows.get(explanation_id, overlay or {}, wait, tell))

    async def overlay(self, explained: Explained, **look: str | float) -> Pillow.Image:
        """As `Client.overlay`."""
        return await self._run(flows.overlay(explained, look))

    async def erase(self, explanation_id: str) -> None:
        """As `Client.erase`."""
        await self._run(flows.erase(explanation_id))

    async def models(self) -> tuple[LiveModel, ...]:
        """As `Client.models`."""
        return await self._run(flows.models())

    async def methods(self) -> tuple[MethodCard, ...]:
        """As `Client.methods`."""
        return await self._run(flows.methods())

    async def metrics(self) -> tuple[MetricCard, ...]:
        """As `Client.metrics`."""
        return await self._run(flows.metrics())

    async def _run(self, flow: Flow[T]) -> T:
        try:
            step: Call | Pause = next(flow)
            while True:
                if isinstance(step, Pause):
                    await pause(step.seconds)
                    step = flow.send(None)
                    continue
                try:
                    response = await self._http.request(step.verb, step.path, **words_of(step))
                except httpx.TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(response)
        except StopIteration as end:
            result: T = end.value
            return result

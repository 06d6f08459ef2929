"""The client for programs that wait, and for notebooks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from time import sleep as pause
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


class Client:
    """Asks a service that runs at an address; close it, or use it in a `with` block.

    Every call is tried again while the service says that it is busy (as long as `Retry-After` asks for) or
    does not answer, a few times, and is never done twice. What it raises is a `RationaleError`:
    `InvalidRequest` names every wrong field in `problems`, `Busy` and `Unavailable` say that trying
    did not help, `Unauthorised` and `Forbidden` speak of the key, `JobFailed` and its kinds of the work.
    """

    def __init__(
        self, url: str, key: str | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        """`key` is an API key; `transport` is for tests and proxies of one's own."""
        self._http = httpx.Client(transport=transport, **client_words(url, key))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def explain(
        self,
        image: Image,
        *,
        wait: float | None = None,
        progress: Progress = False,
        **question: Unpack[Asked],
    ) -> Explanation:
        """Why `model` says what it says about an image, by a `method`; waits for the answer.

        `wait` is how many seconds at most, None for as long as it takes; then `NotFinished` is raised, and
        the work goes on. `progress` True draws a bar, a function gets the share that is done.
        """
        asked = Question(**question)
        with shown(progress, asked.method) as tell:
            return self._run(flows.explain(image, asked, wait, tell))

    def explain_many(
        self,
        images: Iterable[Image],
        *,
        in_flight: int = 16,
        progress: Progress = False,
        **question: Unpack[Asked],
    ) -> Iterator[Explanation | RationaleError]:
        """The explanations of many images in their order, so many at a time; one that fails is its error.

        Images are taken as they are needed. They wait in the lane of bulk unless `lane` says otherwise.
        """
        asked = in_bulk(Question(**question))

        def one(image: Image) -> Explanation | RationaleError:
            try:
                return self._run(flows.explain(image, asked, None, None))
            except RationaleError as error:
                return error

        with shown(progress, asked.method, images) as tell, ThreadPoolExecutor(in_flight) as threads:
            waiting, done = iter(images), 0
            running: deque[Future[Explanation | RationaleError]] = deque()
            try:
                while True:
                    more = islice(waiting, in_flight - len(running))
                    running.extend(threads.submit(one, image) for image in more)
                    if not running:
                        return
                    found = running.popleft().result()
                    done += 1
                    if tell is not None:
                        tell(done)
                    yield found
            finally:
                threads.shutdown(wait=True, cancel_futures=True)

    def get(
        self,
        explanation_id: str,
        *,
        wait: float | None = None,
        overlay: flows.Look | None = None,
        progress: Progress = False,
    ) -> Explanation:
        """An explanation by its id, once it is finished; `NotFound` when there is none (any more)."""
        with shown(progress, explanation_id) as tell:
            return self._run(flows.get(explanation_id, overlay or {}, wait, tell))

    def overlay(self, explained: Explained, **look: str | float) -> Pillow.Image:
        """Another picture of a map, by the words of `GET …/overlay`: `palette`, `opacity`, `clip`, `sign`."""
        return self._run(flows.overlay(explained, look))

    def erase(self, explanation_id: str) -> None:
        """Cancel the work, or erase what came of it."""
        self._run(flows.erase(explanation_id))

    def models(self) -> tuple[LiveModel, ...]:
        """The models that are live or were lately."""
        return self._run(flows.models())

    def methods(self) -> tuple[MethodCard, ...]:
        """All methods, with their parameters as JSON Schema, costs and weaknesses."""
        return self._run(flows.methods())

    def metrics(self) -> tuple[MetricCard, ...]:
        """All trust metrics."""
        return self._run(flows.metrics())

    def _run(self, flow: Flow[T]) -> T:
        try:
            step: Call | Pause = next(flow)
            while True:
                if isinstance(step, Pause):
                    pause(step.seconds)
                    step = flow.send(None)
                    continue
                try:
                    response = self._http.request(step.verb, step.path, **words_of(step))
                except httpx.TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(response)
        except StopIteration as end:
            result: T = end.value
            return result

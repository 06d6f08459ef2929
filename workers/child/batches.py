"""The batches of a child from their arrival to their answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Protocol

from jobs.catalogue import ModelCard
from jobs.job import Flow, Job, Opened
from jobs.result import Maps, Outcome
from workers.child.baton import Baton
from workers.child.inbox import Inbox
from workers.onlooker import Onlooker
from workers.pipe import Abandoned, Answers, ChildEnd, PipeBrokenError, Turn, Work
from workers.reporter import Reporter
from workers.turns import SLICE_SECONDS


class Answered(Protocol):
    """What becomes of one job: how it ended, and its arrays by name."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def maps(self) -> Maps: ...


class Explainer(Protocol):
    """What is needed of a runner."""

    @property
    def device(self) -> str: ...
    def cards(self) -> tuple[ModelCard, ...]: ...
    def run(self, batch: Sequence[Opened], onlooker: Onlooker) -> Sequence[Answered]: ...


@dataclass(frozen=True)
class Pacing:
    """How batches share a device: about `slice_seconds` at a time while several are open.

    Methods that can end early do so after `soft_seconds`. `prepare` runs first in each thread that computes,
    `begin` before each batch with the seconds that are expected of it, `go_on` before each of its chunks with
    whether others came a moment ago. `catch_up` waits for a device that lags behind what it was told, so that
    a clock says what it did.
    """

    slice_seconds: float = SLICE_SECONDS
    soft_seconds: float = math.inf
    prepare: Callable[[], object] = lambda: None
    begin: Callable[[float], object] = lambda _: None
    go_on: Callable[[bool], object] = lambda _: None
    catch_up: Callable[[], None] = lambda: None


class Batches:
    """Opens the batches that come, and answers them; `interrupted` is raised in those that nobody wants."""

    def __init__(
        self, pipe: ChildEnd, runner: Explainer, interrupted: type[BaseException], pacing: Pacing
    ) -> None:
        self._pipe, self._runner, self._interrupted, self._pacing = pipe, runner, interrupted, pacing
        # A batch came (1) or is over (-1), what broke the device, or the end of the pipe.
        self._events: SimpleQueue[int | BaseException | None] = SimpleQueue()
        self._inbox = Inbox(pipe, self._open, partial(self._events.put, None))
        self._baton = Baton(pacing.slice_seconds, self._tell_turn, pacing.prepare)

    def serve(self) -> None:
        """Answer until the pipe is closed and no batch is open. Raises what a batch could not answer for."""
        self._inbox.read()
        n_open, is_closed = 0, False
        try:
            while n_open or not is_closed:
                event = self._events.get()
                if isinstance(event, BaseException):
                    raise event
                n_open, is_closed = (n_open, True) if event is None else (n_open + event, is_closed)
        finally:
            self._baton.stop()

    def _open(self, work: Work, blobs: list[bytes]) -> None:
        self._events.put(1)
        flows = [Flow(lane, job.tenant) for job, lane in zip(work.jobs, work.lanes, strict=True)]
        self._baton.open(work.batch, flows, partial(self._compute, work, blobs))

    def _compute(self, work: Work, blobs: list[bytes]) -> None:
        try:
            self._pacing.begin(work.expected_seconds)
            self._answer(work, blobs)
        except BaseException as error:  # noqa: BLE001 - the thread that serves raises it
            self._baton.stop()
            self._events.put(error)
        else:
            self._inbox.forget(work)
            self._events.put(-1)

    def _answer(self, work: Work, blobs: list[bytes]) -> None:
        pause = partial(self._pause, work)
        spent = partial(self._baton.seconds, work.batch)
        reporter = Reporter(self._pipe, work.batch, pause, spent, self._pacing.soft_seconds)
        onlooker = reporter.onlooker
        try:
            onlooker.checkpoint(0.0)
            answers = self._runner.run(opened(work, blobs), onlooker)
        except self._interrupted:
            self._pipe.send(Abandoned(batch=work.batch))
            return
        self._pipe.send(
            Answers(
                batch=work.batch,
                outcomes=tuple(answer.outcome for answer in answers),
                maps=tuple(tuple(answer.maps) for answer in answers),
                seconds=spent(),
                footprint=reporter.footprint,
            ),
            [relevance for answer in answers for relevance in answer.maps.values()],
        )

    def _pause(self, work: Work) -> None:
        """Others have the device while it is their turn; an unwanted batch ends here."""
        self._pacing.catch_up()
        self._baton.checkpoint(work.batch)
        self._pacing.go_on(self._baton.is_crowded)
        if self._inbox.unwanted(work):
            raise self._interrupted

    def _tell_turn(self, batch: int) -> None:
        with suppress(PipeBrokenError):  # the inbox finds out, too, and then nobody wants any batch
            self._pipe.send(Turn(batch=batch))


def opened(work: Work, blobs: list[bytes]) -> list[Opened]:
    """The jobs of a batch with the pixels of their images."""
    return [
        _opened(job, [blobs[place] for place in places])
        for job, places in zip(work.jobs, work.images, strict=True)
    ]


def _opened(job: Job, images: list[bytes]) -> Opened:
    if job.survey:
        return Opened(job, images[0], survey=tuple(images))
    pixels = dict(zip(job.pictures, images, strict=True))
    return Opened(job, pixels["image"], pixels.get("reference"), pixels.get("mask"))

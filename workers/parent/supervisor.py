"""Keeps one child alive: starts it, hands it batches, kills it when it hangs, tells whom a crash hit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jobs.queue import Claim
from workers.logs import fields
from workers.parent.child import Child
from workers.parent.retries import Backoff
from workers.pipe import Abandoned, Answers, Cancel, PipeBrokenError, Progress, Ready, Work

READY_SECONDS = 180.0
RESTART_FIRST_SECONDS = 0.5
RESTART_MOST_SECONDS = 30.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Flight:
    """A batch that the child has; the first one is computed, the second one waits in the child."""

    number: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Crash:
    """A child that ended: `guilty` was being computed, the others had not begun; `hung`: it was killed."""

    guilty: Flight | None
    innocent: tuple[Flight, ...]
    hung: bool
    was_ready: bool


@dataclass(frozen=True)
class Reactions:
    """What the worker does when something happens; none of them may wait for Redis."""

    ready: Callable[[Ready], None]
    answered: Callable[[Flight, Answers, list[bytes]], None]
    progressed: Callable[[Flight, Progress, list[bytes]], None]
    abandoned: Callable[[Flight], None]
    crashed: Callable[[Crash], None]


class Supervisor:
    """One device slot. `flights` are the batches in the child, in the order in which it computes them."""

    def __init__(self, command: Sequence[str], reactions: Reactions, *, deadline_seconds: float) -> None:
        self._command = command
        self._reactions = reactions
        self._deadline_seconds = deadline_seconds
        self._child: Child | None = None
        self._numbers = 0
        self._condemned: int | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._backoff = Backoff(RESTART_FIRST_SECONDS, RESTART_MOST_SECONDS)
        self.flights: list[Flight] = []

    @property
    def is_ready(self) -> bool:
        """Whether there is a child that takes batches."""
        return self._child is not None

    async def run(self) -> None:
        """Keep a child alive until this is cancelled; the child ends with it."""
        while True:
            child = await Child.start(self._command)
            detail = ""
            try:
                await self._welcome(child)
                await self._listen(child)
            except (PipeBrokenError, TimeoutError) as error:
                detail = str(error)
            finally:
                was_ready, self._child = self._child is not None, None
                self._disarm()
                status = await child.end()
            crash = self._collapse(was_ready=was_ready)
            _log_crash(crash, child.pid, status, detail)
            self._reactions.crashed(crash)
            if crash.guilty is None:
                await self._backoff.wait()

    async def send(self, claims: Sequence[Claim], pixels: Mapping[str, bytes]) -> bool:
        """Hand a batch over with the pixels of its images by key; False when there is no child to take it."""
        child = self._child
        if child is None:
            return False
        self._numbers += 1
        flight = Flight(self._numbers, tuple(claims))
        self.flights.append(flight)
        if len(self.flights) == 1:
            self._arm()
        try:
            await child.send(*work_of(flight, pixels))
        except PipeBrokenError:
            child.kill()  # `run` notices the end of the pipe and sorts out what was in it
        return True

    def cancel(self, claims: Sequence[Claim]) -> None:
        """Tell the child that nobody waits for these jobs.

        This must not wait: a child that hangs may read nothing, while leases have to be renewed.
        """
        unwanted = {claim.hold for claim in claims}
        for flight in tuple(self.flights):
            jobs = tuple(claim.job.id for claim in flight.claims if claim.hold in unwanted)
            if jobs and self._child is not None:
                self._child.tell(Cancel(batch=flight.number, jobs=jobs))

    async def _welcome(self, child: Child) -> None:
        async with asyncio.timeout(READY_SECONDS):
            message, _ = await child.receive()
        if not isinstance(message, Ready):
            raise PipeBrokenError(f"the child began with {message.type}")
        self._child = child
        _logger.info("child is ready", extra=fields(child=child.pid, device=message.device))
        self._reactions.ready(message)

    async def _listen(self, child: Child) -> None:
        while True:
            message, blobs = await child.receive()
            if isinstance(message, Ready) or not self.flights or self.flights[0].number != message.batch:
                raise PipeBrokenError(f"the child said {message.type} out of turn")
            self._react(message, blobs)

    def _react(self, message: Progress | Answers | Abandoned, blobs: list[bytes]) -> None:
        if isinstance(message, Progress):
            self._reactions.progressed(self.flights[0], message, blobs)
            return
        flight = self.flights.pop(0)
        self._disarm()
        if self.flights:
            self._arm()
        if isinstance(message, Answers):
            self._backoff.reset()
            self._reactions.answered(flight, message, blobs)
        else:
            self._reactions.abandoned(flight)

    def _arm(self) -> None:
        self._alarm = asyncio.get_running_loop().call_later(self._deadline_seconds, self._kill_hung)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _kill_hung(self) -> None:
        self._condemned = self.flights[0].number
        if self._child is not None:
            self._child.kill()

    def _collapse(self, *, was_ready: bool) -> Crash:
        flights, self.flights = self.flights, []
        condemned, self._condemned = self._condemned, None
        hung = condemned is not None
        if not flights or (hung and flights[0].number != condemned):
            return Crash(None, tuple(flights), hung=hung, was_ready=was_ready)
        return Crash(flights[0], tuple(flights[1:]), hung=hung, was_ready=was_ready)


def work_of(flight: Flight, pixels: Mapping[str, bytes]) -> tuple[Work, list[bytes]]:
    """What the child is told of a batch, and the blobs beside it; equal images are one blob."""
    jobs = tuple(claim.job for claim in flight.claims)
    keys = dict.fromkeys(image.key for job in jobs for image in job.images)
    places = {key: place for place, key in enumerate(keys)}
    work = Work(
        batch=flight.number,
        jobs=jobs,
        images=tuple(places[job.image.key] for job in jobs),
        references=tuple(places[job.reference.key] if job.reference else None for job in jobs),
    )
    return work, [pixels[key] for key in keys]


def _log_crash(crash: Crash, pid: int, status: int, detail: str) -> None:
    _logger.error(
        "child crashed",
        extra=fields(
            child=pid,
            status=status,
            detail=detail,
            hung=crash.hung,
            jobs=[claim.job.id for claim in crash.guilty.claims] if crash.guilty else [],
        ),
    )

"""Keeps one child alive: starts it, hands it batches, kills it when it hangs, tells whom a crash hit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jobs.queue import Claim
from workers.logs import fields
from workers.parent.child import Child
from workers.parent.flights import Crash, Flight, Flights
from workers.parent.retries import Backoff
from workers.pipe import (
    DEVICE_FAILED,
    Abandoned,
    Answers,
    Cancel,
    PipeBrokenError,
    Progress,
    Ready,
    Turn,
    Work,
)

READY_SECONDS = 180.0
RESTART_FIRST_SECONDS = 0.5
RESTART_MOST_SECONDS = 30.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reactions:
    """What the worker does when something happens; none of them may wait for Redis."""

    ready: Callable[[Ready], None]
    answered: Callable[[Flight, Answers, list[bytes]], None]
    progressed: Callable[[Flight, Progress, list[bytes]], None]
    abandoned: Callable[[Flight], None]
    crashed: Callable[[Crash], None]


class Supervisor:
    """One device slot; `flights` are the batches in the child, which says whose turn it is.

    So when it hangs or dies the one that had the device is to blame, and the deadline counts only the time
    that a batch has had it.
    """

    def __init__(self, command: Sequence[str], reactions: Reactions, *, deadline_seconds: float) -> None:
        self._command = command
        self._reactions = reactions
        self._deadline_seconds = deadline_seconds
        self._child: Child | None = None
        self._is_hung = False
        self._condemned: Flight | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._backoff = Backoff(RESTART_FIRST_SECONDS, RESTART_MOST_SECONDS)
        self.flights = Flights()

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
            crash = self._collapse(was_ready=was_ready, status=status)
            _log_crash(crash, child.pid, status, detail)
            self._reactions.crashed(crash)
            if crash.guilty is None:
                await self._backoff.wait()

    async def send(
        self, claims: Sequence[Claim], pixels: Mapping[str, bytes], expected_seconds: float = 0.0
    ) -> bool:
        """Hand a batch over with the pixels of its images by key; False when there is no child to take it."""
        child = self._child
        if child is None:
            return False
        flight = self.flights.add(tuple(claims))
        if self._alarm is None:
            self._arm(self._deadline_seconds)
        try:
            await child.send(*work_of(flight, pixels, expected_seconds))
        except PipeBrokenError:
            child.kill()  # `run` notices the end of the pipe and sorts out what was in it
        return True

    def cancel(self, claims: Sequence[Claim]) -> None:
        """Tell the child that nobody waits for these jobs.

        This must not wait: a child that hangs may read nothing, while leases have to be renewed.
        """
        unwanted = {claim.hold for claim in claims}
        for flight in self.flights.all():
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
            flight = None if isinstance(message, Ready) else self.flights.get(message.batch)
            if isinstance(message, Ready) or flight is None:
                raise PipeBrokenError(f"the child said {message.type} out of turn")
            self._react(flight, message, blobs)

    def _react(
        self, flight: Flight, message: Turn | Progress | Answers | Abandoned, blobs: list[bytes]
    ) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(message, Progress):
            self._reactions.progressed(flight, message, blobs)
        elif isinstance(message, Turn):
            self._arm(self._deadline_seconds - self.flights.turn(flight.number, now))
        else:
            self.flights.end(flight.number, now)
            self._disarm()
            if self.flights:  # one of them has its turn at once; if not even that comes, the child hangs
                self._arm(self._deadline_seconds)
            if isinstance(message, Answers):
                self._backoff.reset()
                self._reactions.answered(flight, message, blobs)
            else:
                self._reactions.abandoned(flight)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._kill_hung)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _kill_hung(self) -> None:
        self._is_hung, self._condemned = True, self.flights.holder
        if self._child is not None:
            self._child.kill()

    def _collapse(self, *, was_ready: bool, status: int) -> Crash:
        hung, self._is_hung = self._is_hung, False
        guilty = self.flights.holder
        if hung and guilty is not self._condemned:
            guilty = None  # it had only just got the device from the one that was condemned
        innocent = tuple(flight for flight in self.flights.all() if flight is not guilty)
        self.flights.clear()
        device_failed = status == DEVICE_FAILED
        return Crash(guilty, innocent, hung=hung, was_ready=was_ready, device_failed=device_failed)


def work_of(
    flight: Flight, pixels: Mapping[str, bytes], expected_seconds: float = 0.0
) -> tuple[Work, list[bytes]]:
    """What the child is told of a batch, and the blobs beside it; equal images are one blob."""
    jobs = tuple(claim.job for claim in flight.claims)
    keys = dict.fromkeys(image.key for job in jobs for image in job.images)
    places = {key: place for place, key in enumerate(keys)}
    work = Work(
        batch=flight.number,
        jobs=jobs,
        images=tuple(tuple(places[image.key] for image in job.images) for job in jobs),
        lanes=tuple(claim.lane for claim in flight.claims),
        expected_seconds=expected_seconds,
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

"""What becomes of claims in Redis: answers are committed, failures are told, crashes are counted."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from jobs.errors import (
    DeadlineExceeded,
    Failure,
    ImageGone,
    InternalError,
    JobFailed,
    OutOfMemory,
    Unavailable,
    WorkerCrashed,
)
from jobs.job import Job
from jobs.queue import Claim, JobQueue
from jobs.result import Draft, Maps, Outcome, Result, map_name
from jobs.store import JobStore
from workers.logs import fields
from workers.parent.retries import persist
from workers.pipe import Answers, Progress

MAX_CRASHES = 3
FETCH_BYTES = 32 * 2**20  # of pixels in one answer: Redis and the wait for it have other things to do
LETTERS = frozenset(error.code for error in (WorkerCrashed, DeadlineExceeded, InternalError, OutOfMemory))

Answer = tuple[Claim, Result, Maps]

_logger = logging.getLogger(__name__)


class Outcomes:
    """Writes to Redis, and goes on trying while Redis is away; claims lost meanwhile are refused."""

    def __init__(self, queue: JobQueue, store: JobStore) -> None:
        self._queue = queue
        self._store = store

    async def fetch(self, claims: Sequence[Claim]) -> tuple[list[Claim], dict[str, bytes]]:
        """The claims and the pixels of all their images by key, in one round trip unless these are large.

        Jobs of which a picture is gone fail and are left out.
        """
        images = {image.key: image.n_bytes for claim in claims for image in claim.job.images}
        pixels: dict[str, bytes] = {}
        for some in _portions(images, FETCH_BYTES):
            pixels |= await persist(partial(self._store.pixels_of, some), "fetch pixels")
        complete = []
        for claim in claims:
            gone = next((name for name, key in _named(claim.job) if key not in pixels), None)
            if gone:
                await self.fail(claim, ImageGone(f"The {gone} was no longer stored when its turn came."))
            else:
                complete.append(claim)
        return complete, pixels

    async def start(self, claims: Sequence[Claim]) -> list[Claim]:
        """Mark claims as running; returns those that were lost."""
        started = {claim.hold for claim in await persist(partial(self._queue.start, claims), "start")}
        return [claim for claim in claims if claim.hold not in started]

    async def settle(self, claims: Sequence[Claim], answers: Answers, blobs: Sequence[bytes]) -> None:
        """Commit the results of a batch in one round trip, and fail those jobs that have none."""
        by_id = {claim.job.id: claim for claim in claims}
        results: list[Answer] = []
        for outcome, maps in _pair(answers, blobs):
            claim = by_id.get(outcome.id)
            if claim is None:
                continue
            if outcome.result is not None:
                results.append((claim, outcome.result, maps))
            else:
                await self._tell(claim, outcome.failure or _unanswered(claim.job))
        await self._commit(results)

    async def crashed(self, claim: Claim, *, hung: bool, deadline_seconds: float) -> bool:
        """Judge a job that was alone when its child ended; True when it may run once more."""
        if hung:
            await self.fail(claim, DeadlineExceeded(f"The job ran longer than {deadline_seconds:g} s."))
            return False
        crashes = await persist(partial(self._queue.crash, claim), "crash")
        if crashes >= MAX_CRASHES:
            await self.fail(claim, WorkerCrashed(f"The job took its worker down {crashes} times."))
        return 0 < crashes < MAX_CRASHES

    async def fail(self, claim: Claim, error: JobFailed) -> None:
        """End a job with an error."""
        await self._tell(claim, Failure.of(error))

    async def report(
        self, claims: Iterable[Claim], progress: Progress, blobs: Sequence[bytes]
    ) -> list[Claim]:
        """Tell how far running jobs are, and what they found so far, if Redis can be told now.

        Returns the claims that turned out to be lost.
        """
        drafts = _drafts(progress, blobs)
        lost = []
        with suppress(Unavailable):
            for claim in claims:
                draft = drafts.get(claim.job.id)
                held = (
                    await self._queue.report(claim, progress.fraction)
                    if draft is None
                    else await self._queue.draft(claim, progress.fraction, *draft)
                )
                if not held:
                    lost.append(claim)
        return lost

    async def _commit(self, results: Sequence[Answer]) -> None:
        if not results:
            return
        accepted = await persist(partial(self._queue.commit, results), "commit")
        for (claim, _, _), done in zip(results, accepted, strict=True):
            if not done:
                _logger.warning("commit refused: the lease was lost", extra=fields(job=claim.job.id))

    async def _tell(self, claim: Claim, failure: Failure) -> None:
        letter = failure.code in LETTERS
        told = await persist(partial(self._queue.fail, claim, failure, dead_letter=letter), "fail")
        _logger.warning("job failed", extra=fields(job=claim.job.id, code=failure.code, told=told))


def _named(job: Job) -> Iterator[tuple[str, str]]:
    """What each image that a job needs is called, and its key."""
    if job.survey:
        return ((f"image {place} of the survey", image.key) for place, image in enumerate(job.survey))
    return ((name, picture.key) for name, picture in job.pictures.items())


def _portions(sizes: Mapping[str, int], most_bytes: int) -> Iterator[list[str]]:
    """Names in their order, as many together as do not exceed a size, or one alone."""
    portion: list[str] = []
    n_bytes = 0
    for name, size in sizes.items():
        if portion and n_bytes + size > most_bytes:
            yield portion
            portion, n_bytes = [], 0
        portion.append(name)
        n_bytes += size
    if portion:
        yield portion


def _pair(answers: Answers, blobs: Sequence[bytes]) -> Iterable[tuple[Outcome, Maps]]:
    rest = iter(blobs)
    for outcome, names in zip(answers.outcomes, answers.maps, strict=True):
        yield outcome, {name: next(rest) for name in names}


def _drafts(progress: Progress, blobs: Sequence[bytes]) -> dict[str, tuple[Draft, Maps]]:
    """By the id of the job."""
    rest = iter(blobs)
    return {
        draft.id: (draft, {map_name(target.index): next(rest) for target in draft.targets})
        for draft in progress.drafts
    }


def _unanswered(job: Job) -> Failure:
    return Failure.of(InternalError(f"The method {job.method.name} ended without a result."))

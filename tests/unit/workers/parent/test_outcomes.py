"""What the parent makes of the progress of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from jobs.errors import Failure, Unavailable
from jobs.queue import Claim, JobQueue
from jobs.result import Draft, Maps
from jobs.store import JobStore
from tests.samples import MAP, PIXELS, sample_job, sample_result, sample_survey, survey_pixels
from workers.parent.outcomes import Outcomes
from workers.pipe import Progress


@dataclass
class Queue:
    """Notes what it is told; who is not in `held` has lost the claim."""

    held: set[str]
    away: bool = False
    told: list[tuple[str, float]] = field(default_factory=list)
    drafts: list[tuple[str, Draft, Maps]] = field(default_factory=list)
    failures: list[tuple[str, str, str, bool]] = field(default_factory=list)

    async def report(self, claim: Claim, fraction: float) -> bool:
        if self.away:
            raise Unavailable("away", retry_after=1)
        self.told.append((claim.job.id, fraction))
        return claim.job.id in self.held

    async def draft(self, claim: Claim, fraction: float, draft: Draft, maps: Maps) -> bool:
        self.drafts.append((claim.job.id, draft, maps))
        return await self.report(claim, fraction)

    async def fail(self, claim: Claim, failure: Failure, *, dead_letter: bool) -> bool:
        self.failures.append((claim.job.id, failure.code, failure.detail, dead_letter))
        return True


@dataclass
class Store:
    """Has some pixels, and notes what was fetched together."""

    pixels: dict[str, bytes]
    asked: list[list[str]] = field(default_factory=list)

    async def pixels_of(self, images: Sequence[str]) -> dict[str, bytes]:
        self.asked.append([*images])
        return {image: self.pixels[image] for image in images if image in self.pixels}


CLAIMS = [Claim(sample_job(), f"{number}-0", "w", 0, 1) for number in range(3)]
IDS = [claim.job.id for claim in CLAIMS]


def outcomes(queue: Queue) -> Outcomes:
    return Outcomes(cast(JobQueue, queue), cast(JobStore, None))


async def test_progress_is_told_with_the_drafts_that_there_are_and_the_lost_are_named() -> None:
    queue = Queue(held={IDS[0], IDS[1]})
    draft = Draft(id=IDS[1], targets=sample_result(CLAIMS[1].job).targets)

    lost = await outcomes(queue).report(CLAIMS, Progress(batch=1, fraction=0.5, drafts=(draft,)), [MAP])

    assert lost == [CLAIMS[2]]
    assert queue.told == [(name, 0.5) for name in IDS]
    assert queue.drafts == [(IDS[1], draft, {"2": MAP})]


async def test_while_redis_is_away_nothing_is_told_and_nobody_has_lost_anything() -> None:
    queue = Queue(held=set(), away=True)

    assert await outcomes(queue).report(CLAIMS, Progress(batch=1, fraction=0.5), []) == []


async def test_the_images_of_a_survey_are_fetched_each_once_and_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.parent.outcomes.FETCH_BYTES", 2 * len(PIXELS))
    survey, plain = sample_survey("a", "b", "a", "c", "d"), sample_job(image="e")
    claims = [Claim(job, f"{place}-0", "w", 0, 1) for place, job in enumerate((survey, plain))]
    store = Store({"e": PIXELS} | {key: survey_pixels(key) for key in "abcd"})

    complete, pixels = await Outcomes(cast(JobQueue, Queue(set())), cast(JobStore, store)).fetch(claims)

    assert complete == claims
    assert pixels == store.pixels
    assert store.asked == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_survey_of_which_an_image_is_gone_fails_and_says_which() -> None:
    whole, torn = sample_survey("a", "b"), sample_survey("a", "b", "gone", "lost")
    claims = [Claim(job, f"{place}-0", "w", 0, 1) for place, job in enumerate((torn, whole))]
    store, queue = Store({key: survey_pixels(key) for key in "ab"}), Queue(set())

    complete, _ = await Outcomes(cast(JobQueue, queue), cast(JobStore, store)).fetch(claims)

    assert complete == claims[1:]
    words = "The image 2 of the survey was no longer stored when its turn came."
    assert queue.failures == [(torn.id, "image-gone", words, False)]

"""What the parent makes of the progress of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from jobs.errors import Unavailable
from jobs.queue import Claim, JobQueue
from jobs.result import Draft, Maps
from jobs.store import JobStore
from tests.samples import MAP, sample_job, sample_result
from workers.parent.outcomes import Outcomes
from workers.pipe import Progress


@dataclass
class Queue:
    """Notes what it is told; who is not in `held` has lost the claim."""

    held: set[str]
    away: bool = False
    told: list[tuple[str, float]] = field(default_factory=list)
    drafts: list[tuple[str, Draft, Maps]] = field(default_factory=list)

    async def report(self, claim: Claim, fraction: float) -> bool:
        if self.away:
            raise Unavailable("away", retry_after=1)
        self.told.append((claim.job.id, fraction))
        return claim.job.id in self.held

    async def draft(self, claim: Claim, fraction: float, draft: Draft, maps: Maps) -> bool:
        self.drafts.append((claim.job.id, draft, maps))
        return await self.report(claim, fraction)


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

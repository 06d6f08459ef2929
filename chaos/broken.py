"""Queues with a defect, to see that the checks would find it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from hashlib import sha1
from unittest.mock import patch

from jobs.job import ModelRef
from jobs.keys import GROUP
from jobs.lua import Script, load
from jobs.queue import Claim, JobQueue

FENCE = b"local function holds(queue, group, entry, consumer, deliveries)\n"
NO_FENCE = FENCE + b"  do return true end\n"


class Defect(StrEnum):
    """What is wrong with a worker's queue."""

    NONE = "none"
    ACKS_FIRST = "acks-first"  # the entry is gone before the work begins
    UNFENCED = "unfenced"  # whoever has lost a claim may still end the job


class AcksFirst(JobQueue):
    """Acknowledges and deletes what it claims at once, as queues without leases do."""

    async def claim(
        self,
        consumer: str,
        models: Sequence[ModelRef],
        *,
        count: int,
        bulk: int | None = None,
        block_seconds: float,
    ) -> list[Claim]:
        """The claims of the sound queue, of which nobody knows any more."""
        claims = await super().claim(consumer, models, count=count, bulk=bulk, block_seconds=block_seconds)
        async with self.redis.pipeline(transaction=False) as pipeline:
            for claim in claims:
                queue = self.keys.queue(claim.job.model.key, claim.flow)
                pipeline.xack(queue, GROUP, claim.entry)
                pipeline.xdel(queue, claim.entry)
            await pipeline.execute()
        return claims


@contextmanager
def queue_with(defect: Defect) -> Iterator[type[JobQueue]]:
    """The queue to work with inside of the block; without a fence there, if the defect needs that."""
    kind = AcksFirst if defect is Defect.ACKS_FIRST else JobQueue
    if defect is Defect.NONE:
        yield kind
        return
    with patch("jobs.moves.workers.load", unfenced):
        yield kind


def unfenced(name: str) -> Script:
    """A script of the queue in which every claim counts as held."""
    script = load(name)
    if FENCE not in script.text:
        raise ValueError(f"the script {name} does not ask who holds a claim in the words that are known here")
    text = script.text.replace(FENCE, NO_FENCE)
    return replace(script, text=text, digest=sha1(text, usedforsecurity=False).hexdigest())

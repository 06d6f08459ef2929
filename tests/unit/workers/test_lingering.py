"""How long a batch that could grow is held back."""

from __future__ import annotations

import pytest

from jobs.job import Lane
from tests.unit.workers.claims import claim
from workers.batching import Batch
from workers.lingering import linger_seconds

PAIR = (claim(), claim())


@pytest.mark.parametrize(("lane", "seconds"), [(Lane.INTERACTIVE, 0.005), (Lane.BULK, 0.05)])
def test_some_jobs_wait_a_little_for_more_and_urgent_ones_less(lane: Lane, seconds: float) -> None:
    batch = Batch(PAIR, full=False, lane=lane)

    assert linger_seconds(batch, idle=True, waited_seconds=0) == seconds
    assert linger_seconds(batch, idle=True, waited_seconds=0.004) == pytest.approx(seconds - 0.004)
    assert linger_seconds(batch, idle=True, waited_seconds=1) == 0


@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize(
    ("claims", "full", "idle"),
    [(PAIR[:1], False, True), (PAIR, True, True), (PAIR, False, False)],
    ids=["a lone job", "a full batch", "a busy device"],
)
def test_nobody_waits_for(claims: tuple[object, ...], full: bool, idle: bool, lane: Lane) -> None:
    batch = Batch(PAIR[: len(claims)], full=full, lane=lane)

    assert linger_seconds(batch, idle=idle, waited_seconds=0) == 0

"""The defects are in the queue that is asked for, and nowhere else."""

from __future__ import annotations

import pytest

from chaos.broken import NO_FENCE, AcksFirst, Defect, queue_with, unfenced
from jobs.lua import load
from jobs.moves import workers as moves
from jobs.queue import JobQueue


@pytest.mark.parametrize("name", ["start", "renew", "commit", "fail", "crash"])
def test_a_script_without_its_fence_is_another_script(name: str) -> None:
    assert NO_FENCE in unfenced(name).text
    assert unfenced(name).digest != load(name).digest


def test_the_fence_is_missing_inside_of_the_block_alone() -> None:
    with queue_with(Defect.UNFENCED) as kind:
        assert kind is JobQueue
        assert vars(moves)["load"] is unfenced
    assert vars(moves)["load"] is load


def test_without_a_defect_the_queue_is_the_products() -> None:
    with queue_with(Defect.NONE) as kind:
        assert kind is JobQueue
        assert vars(moves)["load"] is load


def test_who_acknowledges_first_needs_no_fence_to_go_on() -> None:
    with queue_with(Defect.ACKS_FIRST) as kind:
        assert kind is AcksFirst
        assert vars(moves)["load"] is unfenced

"""How often a batch in the child is told of."""

from __future__ import annotations

from typing import cast

from jobs.queue import Claim
from jobs.result import Draft
from tests.samples import sample_job, sample_result
from workers.parent.flights import Flight
from workers.parent.outcomes import Outcomes
from workers.parent.reports import Reports
from workers.pipe import Progress

JOB = sample_job()
CLAIM = Claim(JOB, "1-0", "w", 0, 1)
ONE, TWO = Flight(1, (CLAIM,)), Flight(2, (CLAIM,))
PROGRESS = Progress(batch=1, fraction=0.5)
DRAFT = PROGRESS.model_copy(update={"drafts": (Draft(id=JOB.id, targets=sample_result(JOB).targets),)})


class Told:
    """Stands where the outcomes are, and loses what it is told of."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []

    async def report(self, claims: list[Claim], *_: object) -> list[Claim]:
        self.claims = list(claims)
        return self.claims


def reports(told: Told | None = None, *, held: bool = True) -> Reports:
    return Reports(cast(Outcomes, told or Told()), lambda _: held)


async def test_a_batch_is_told_of_twice_a_second() -> None:
    found, due = reports(), []
    for step in range(20):
        due.append(found.are_due(ONE, PROGRESS, step / 10))
        if due[-1]:
            await found.tell(ONE, PROGRESS, [])

    assert due.count(True) == 4


async def test_batches_that_take_turns_do_not_silence_each_other() -> None:
    found = reports()

    assert [found.are_due(ONE, PROGRESS, 0.0), found.are_due(TWO, PROGRESS, 0.1)] == [True, True]


async def test_drafts_are_told_at_once_but_not_while_the_last_is_still_told() -> None:
    found = reports()

    assert found.are_due(ONE, PROGRESS, 0.0)
    assert not found.are_due(ONE, DRAFT, 0.1)
    await found.tell(ONE, PROGRESS, [])
    assert found.are_due(ONE, DRAFT, 0.1)


async def test_only_claims_that_are_held_are_told_of() -> None:
    told = Told()

    assert await reports(told).tell(ONE, PROGRESS, []) == [CLAIM]
    assert await reports(told, held=False).tell(ONE, PROGRESS, []) == []

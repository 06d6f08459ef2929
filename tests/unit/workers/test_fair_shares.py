"""A device shared by tenants, simulated: who floods it does not take it from the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from jobs.catalogue import Need
from jobs.job import Lane
from jobs.queue import Claim
from tests.unit.workers.claims import A, B, claim
from workers.batching import Planner
from workers.child.rota import Rota
from workers.parent.flights import Flight, Flights
from workers.parent.holdings import Holdings
from workers.parent.places import openings
from workers.pipe import Answers, Footprint
from workers.turns import SLICE_SECONDS

NEEDS = {"grad-cam": frozenset({Need.LAYER_GRADIENTS}), "rise": frozenset[Need]()}
PASS_SECONDS, OVERHEAD_SECONDS = 0.002, 0.004


@dataclass
class Device:
    """Computes what a worker would send it, the costly ones in slices, as its child does."""

    now: float = 0.0
    ended: dict[str, float] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        planner = Planner(NEEDS, max_batch=16, max_bytes=10**6)
        self.held = Holdings(planner, 10**6, clock=lambda: self.now)
        self._flights = Flights()
        self._rota = Rota(SLICE_SECONDS)

    def step(self) -> None:
        """One turn of the device."""
        while batch := self.held.take(openings(self._flights.all(), self.held.is_cheap)):
            sent = self._flights.add(batch.claims)
            self._rota.open(sent.number, [one.flow for one in sent.claims])
        number = self._rota.next()
        flight = self._flights.get(number) if number is not None else None
        if flight is None:
            self.now += self.held.linger_seconds or 0.001
            return
        whole = OVERHEAD_SECONDS + sum(PASS_SECONDS * one.cost for one in flight.claims)
        left = whole - self._rota.seconds(flight.number)
        can_pause = flight.claims[0].job.method.name == "rise"
        seconds = min(left, SLICE_SECONDS) if can_pause else left
        self.now += seconds
        self._rota.charge(flight.number, seconds)
        if seconds == left:
            self._end(flight, whole)

    def _end(self, flight: Flight, seconds: float) -> None:
        self._rota.close(flight.number)
        self._flights.end(flight.number, self.now)
        footprint = Footprint(largest=len(flight.claims))
        answers = Answers(batch=1, outcomes=(), maps=(), seconds=seconds, footprint=footprint)
        self.held.learn(flight.claims, answers)
        self.held.let_go(flight.claims)
        self.sizes.append(len(flight.claims))
        self.ended.update((one.job.id, self.now) for one in flight.claims)

    def seconds_for(self, jobs: list[Claim], flood: Claim | None = None) -> float:
        """How long these jobs take when they come at once, into a flood of others like the one given."""
        for _ in range(60 if flood else 0):
            self._pour(flood)
            self.step()
        begin = self.now
        self.held.add(jobs)
        while not all(one.job.id in self.ended for one in jobs):
            self._pour(flood)
            self.step()
        return self.now - begin

    def _pour(self, flood: Claim | None) -> None:
        missing = 64 - len(self.held.all())
        if flood is not None and missing > 0:
            self.held.add(
                replace(flood, job=claim(flood.job.model, flood.job.method.name, tenant="flood").job)
                for _ in range(missing)
            )


AHEAD_SECONDS = 0.5  # of batches that were sent before the jobs came
FLOODS = [
    claim(A, "grad-cam", cost=2),
    claim(B, "grad-cam", cost=2),
    claim(A, "rise", cost=400),
    replace(claim(A, "grad-cam", cost=2), lane=Lane.BULK),
]


@pytest.mark.parametrize("flood", FLOODS, ids=["the same", "another model", "costly ones", "bulk"])
def test_a_flood_makes_another_tenant_no_more_than_twice_as_slow(flood: Claim) -> None:
    jobs = [claim(A, "grad-cam", cost=2) for _ in range(320)]
    alone = Device().seconds_for(jobs)

    flooded = Device().seconds_for(jobs, flood)

    assert flooded <= 2 * alone + AHEAD_SECONDS


def test_many_floods_leave_a_fair_share() -> None:
    jobs = [claim(A, "rise", cost=100) for _ in range(20)]
    device = Device()
    device.held.add(claim(A, "rise", cost=100, tenant=f"flood {number % 3}") for number in range(200))

    device.held.add(jobs)
    while not all(one.job.id in device.ended for one in jobs):
        device.step()

    others = [end for job, end in device.ended.items() if job not in {one.job.id for one in jobs}]
    assert len(others) == pytest.approx(60, abs=12)


def test_a_sparse_tenant_is_served_before_those_who_flood() -> None:
    device, waits = Device(), []
    flood = claim(A, "rise", cost=100)
    for _ in range(40):
        device.seconds_for([], flood)
        waits.append(device.seconds_for([claim(A, "grad-cam", cost=2)], flood))

    assert max(waits) <= 2 * SLICE_SECONDS


def test_models_that_alternate_are_served_in_full_batches() -> None:
    device = Device()
    jobs = [claim(model, "grad-cam", cost=2) for _ in range(64) for model in (A, B)]
    for model in (A, B):
        device.seconds_for([claim(model, "grad-cam", cost=2) for _ in range(16)])
    device.sizes.clear()

    device.seconds_for(jobs)

    assert device.sizes == [16] * 8

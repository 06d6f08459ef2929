"""How long a run lasts, how much happens in it, and when: all of it follows from one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from chaos.broken import Defect
from chaos.history import Harm

# What happens in three minutes; of each harm at least one happens in a shorter run, too.
PERIOD_SECONDS = 180.0
PER_PERIOD = {
    Harm.WORKER_KILLED: 100,
    Harm.CHILD_KILLED: 30,
    Harm.WORKER_FROZEN: 20,
    Harm.REDIS_KILLED: 10,
    Harm.API_KILLED: 15,
    Harm.CUT: 30,
    Harm.SLOWED: 15,
    Harm.HELD: 10,
}


@dataclass(frozen=True)
class Plan:
    """One run. `harms` says how often each harm is done, evenly spread over `seconds`.

    With `poison` some images crash their device or make it hang.
    """

    seconds: float
    seed: int
    harms: Mapping[Harm, int]
    defect: Defect = Defect.NONE
    jobs: int = 0
    poison: bool = True
    rate: float = 40.0
    workers: int = 6
    apis: int = 3
    batch_seconds: float = 0.02
    max_batch: int = 8
    lease_seconds: float = 2.0
    deadline_seconds: float = 6.0

    @property
    def patience_seconds(self) -> float:
        """How long a client waits for one job before it leaves that to the audit."""
        return 4 * self.lease_seconds

    @property
    def drain_seconds(self) -> float:
        """How long no job may end after the last blow: as long as one that hangs, with others and alone."""
        return 2 * self.deadline_seconds + self.lease_seconds


def harms_in(seconds: float) -> dict[Harm, int]:
    """How often each harm is done in a run of this length."""
    return {harm: max(1, round(count * seconds / PERIOD_SECONDS)) for harm, count in PER_PERIOD.items()}


def schedule(plan: Plan, random: Random) -> list[tuple[float, Harm]]:
    """Every harm with its second, in order: each at a random moment of a piece of time of its own."""
    return sorted(
        (plan.seconds * (number + random.random()) / count, harm)
        for harm, count in plan.harms.items()
        for number in range(count)
    )

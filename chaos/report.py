"""What a run came to: figures for a table and for other programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos.durations import outages, percentile, recoveries, takeovers
from chaos.history import Harm, History
from chaos.plan import Plan
from chaos.verdict import Verdict
from jobs.job import State

REFUSED = "commit refused: the lease was lost"


@dataclass(frozen=True)
class Spread:
    """How a number of durations in seconds are spread."""

    count: int
    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """The spread of these; zeros without any."""
        return cls(len(values), percentile(values, 0.5), percentile(values, 0.99), max(values, default=0.0))


@dataclass(frozen=True)
class Figures:
    """One run in numbers.

    `takeover` is from the kill of a busy worker until all its jobs have another owner, `recovery` until they
    run again: that is after what their new owner had begun. `redis_outage` is until a job is accepted again.
    """

    seed: int
    seconds: float
    accepted: int
    done: int
    failed: int
    lost: int
    changed: int
    wrong: int
    told_twice: int
    untold: int
    surprises: int
    refused_commits: int
    unfinished: int
    harms: dict[str, int]
    takeover: Spread
    recovery: Spread
    child_recovery: Spread
    redis_outage: Spread
    bound_seconds: float

    @property
    def broken(self) -> list[str]:
        """The promises that were not kept."""
        counts = ("lost", "changed", "wrong", "told_twice", "untold", "surprises", "unfinished")
        broken = [f"{getattr(self, name)} {name.replace('_', ' ')}" for name in counts if getattr(self, name)]
        if self.takeover.p99 > self.bound_seconds:
            broken.append(f"a takeover took {self.takeover.p99:.1f} s, not {self.bound_seconds:g} s")
        return broken


def figures(
    plan: Plan,
    history: History,
    verdict: Verdict,
    *,
    seconds: float,
    logs: Iterable[Path],
    unfinished: int,
    bound_seconds: float,
) -> Figures:
    """Count what was seen; `logs` are those of the workers."""
    last = {seen.job: seen.state for seen in history.seen}
    states = Counter(last.get(one.job) for one in history.accepted)
    harms = Counter(blow.harm for blow in history.blows)
    return Figures(
        seed=plan.seed,
        seconds=round(seconds, 1),
        accepted=len(history.accepted),
        done=states[State.DONE],
        failed=states[State.FAILED],
        lost=len(verdict.lost),
        changed=len(verdict.changed),
        wrong=len(verdict.wrong),
        told_twice=len(verdict.told_twice),
        untold=len(verdict.untold),
        surprises=len(verdict.surprises),
        refused_commits=sum(log.read_text(errors="replace").count(REFUSED) for log in logs),
        unfinished=unfinished,
        harms={harm.value: harms[harm] for harm in Harm},
        takeover=Spread.of(takeovers(history)),
        recovery=Spread.of(recoveries(history, Harm.WORKER_KILLED)),
        child_recovery=Spread.of(recoveries(history, Harm.CHILD_KILLED)),
        redis_outage=Spread.of(outages(history)),
        bound_seconds=bound_seconds,
    )


def show(found: Figures, verdict: Verdict) -> None:
    """Print the table, and what is wrong."""
    table = Table(title=f"{found.seconds:g} s of chaos, seed {found.seed}", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in _rows(found):
        table.add_row(name, value)
    console = Console(width=110)
    console.print(table)
    for name, jobs in asdict(verdict).items():
        for job in jobs[:5]:
            console.print(f"{name.replace('_', ' ')}: {job}", soft_wrap=True)
    console.print("BROKEN: " + "; ".join(found.broken) if found.broken else "every promise was kept")


def write(found: Figures, path: Path) -> None:
    """Write the figures as JSON."""
    path.write_text(json.dumps(asdict(found) | {"broken": found.broken}, indent=2) + "\n")


def _rows(found: Figures) -> Iterable[tuple[str, str]]:
    yield from ((name, str(count)) for name, count in found.harms.items())
    yield "jobs accepted", str(found.accepted)
    yield "jobs done / failed as ordered", f"{found.done} / {found.failed}"
    yield "jobs lost", str(found.lost)
    yield "results changed", str(found.changed)
    yield "wrong endings", str(found.wrong)
    yield "jobs told done twice / never", f"{found.told_twice} / {found.untold}"
    yield "unexpected answers", str(found.surprises)
    yield "late commits refused", str(found.refused_commits)
    yield "jobs that Redis holds for unfinished", str(found.unfinished)
    spreads = {
        f"killed worker: others have its jobs (bound {found.bound_seconds:g} s)": found.takeover,
        "killed worker: its jobs run again": found.recovery,
        "killed child: its jobs run again": found.child_recovery,
        "killed Redis: the next job is accepted": found.redis_outage,
    }
    for name, spread in spreads.items():
        yield f"{name}, p50 / p99 / most", f"{spread.p50:.2f} / {spread.p99:.2f} / {spread.most:.2f} s"

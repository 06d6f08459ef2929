"""`python -m chaos`: some minutes of chaos; the exit status is 1 if a promise was not kept."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
from pathlib import Path

from chaos.broken import Defect
from chaos.history import Harm
from chaos.plan import PERIOD_SECONDS, Plan, harms_in
from chaos.report import Figures, show, write
from chaos.run import run
from chaos.verdict import Verdict

MARGIN_SECONDS = 2.0


def main() -> None:
    """Run, print, and tell by the exit status whether every promise was kept."""
    options = _options()
    plan = _plan(options)
    print(f"seed {plan.seed}, {plan.seconds:g} s, {sum(plan.harms.values())} harms", flush=True)
    bound_seconds = options.bound_seconds or plan.lease_seconds + MARGIN_SECONDS
    try:
        found, verdict = asyncio.run(_until_a_signal(plan, bound_seconds, options.logs))
    except asyncio.CancelledError:
        sys.exit("ended by a signal")
    show(found, verdict)
    if options.json:
        write(found, options.json)
    sys.exit(1 if found.broken else 0)


async def _until_a_signal(plan: Plan, bound_seconds: float, logs: Path | None) -> tuple[Figures, Verdict]:
    """A run that SIGTERM and SIGINT end in order: nothing stays behind."""
    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    return await run(plan, bound_seconds=bound_seconds, logs=logs)


def _plan(options: argparse.Namespace) -> Plan:
    seconds = options.jobs / options.rate if options.jobs else options.seconds
    harms = harms_in(seconds)
    for harm, count in ((Harm.WORKER_KILLED, options.kills), (Harm.WORKER_FROZEN, options.zombies)):
        if count is not None:
            harms[harm] = count
    return Plan(
        seconds=seconds,
        seed=options.seed if options.seed is not None else secrets.randbelow(2**32),
        harms={harm: count for harm, count in harms.items() if count},
        defect=options.defect,
        jobs=options.jobs,
        rate=options.rate,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=PERIOD_SECONDS, help="how long jobs are posted")
    parser.add_argument("--jobs", type=int, default=0, help="how many jobs are posted, however long it takes")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="requests a second")
    parser.add_argument("--seed", type=int, help="of an earlier run, to do the same again")
    parser.add_argument("--kills", type=int, help="busy workers that are killed")
    parser.add_argument(
        "--zombies", type=int, help="busy workers that are frozen until others did their jobs"
    )
    parser.add_argument("--defect", type=Defect, default=Defect.NONE, choices=list(Defect))
    parser.add_argument("--bound-seconds", type=float, help="the longest p99 of recovery; a lease and 2 s")
    parser.add_argument("--logs", type=Path, help="a folder for what the processes say")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""`python -m chaos.soak`: a steady load for a long time, and how the memory of every process grows."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from chaos.crowd import Crowd
from chaos.history import History
from chaos.plan import Plan
from chaos.run import Site, site

WARM_UP_SHARE = 0.2  # of the time, which no slope counts
SAMPLES = 120
SATURATION_SECONDS = 10.0
SATURATION_RATE = 1000.0
MIB = 2**20
SLOPE_SECONDS = 600.0


@dataclass(frozen=True)
class Sample:
    """What one process had at a time: resident bytes, and open descriptors."""

    at: float
    n_bytes: int
    descriptors: int


Samples = dict[str, list[Sample]]


def main() -> None:
    """Find out how much goes, keep up a share of it, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--load", type=float, default=0.7, help="share of the rate at saturation")
    options = parser.parse_args()
    asyncio.run(_soak(60 * options.minutes, options.load))


async def _soak(seconds: float, load: float) -> None:
    plan = Plan(
        seconds=SATURATION_SECONDS,
        seed=secrets.randbelow(2**32),
        harms={},
        rate=SATURATION_RATE,
        poison=False,
    )
    history = History()
    with tempfile.TemporaryDirectory(prefix="rationale-soak-") as folder:
        async with site(plan, Path(folder), Path(folder), history) as place:
            crowd = Crowd(plan, Random(plan.seed), place.client, history)
            begin = time.monotonic()
            await crowd.use(_over_in(SATURATION_SECONDS))
            rate = load * len(history.accepted) / (time.monotonic() - begin)
            print(f"{rate:.1f} jobs a second for {seconds:g} s, seed {plan.seed}", flush=True)
            crowd = replace(crowd, plan=replace(plan, seconds=seconds, rate=rate))
            stored = place.witness.used_bytes(), len(history.accepted)
            using = asyncio.create_task(crowd.use(_over_in(seconds)))
            samples = await _sample(place, using, seconds)
            await using
            growth = place.witness.used_bytes() - stored[0], len(history.accepted) - stored[1]
    Console(width=110).print(_table(samples))
    print(f"Redis keeps {growth[0] / growth[1]:.0f} bytes a job for a day; {growth[1]} jobs were posted")


def _over_in(seconds: float) -> asyncio.Event:
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    return over


async def _sample(place: Site, using: asyncio.Task[None], seconds: float) -> Samples:
    samples: Samples = defaultdict(list)
    while not using.done():
        await asyncio.wait([using], timeout=seconds / SAMPLES)
        for name, process in place.processes():
            n_bytes, descriptors = process.memory_info().rss, process.num_fds()
            samples[name].append(Sample(time.monotonic(), n_bytes, descriptors))
    return samples


def slope(samples: Sequence[Sample]) -> float:
    """Bytes in ten minutes, by least squares over all samples but those of the warm-up."""
    begin, end = samples[0].at, samples[-1].at
    late = [one for one in samples if one.at >= begin + WARM_UP_SHARE * (end - begin)]
    mean_at = sum(one.at for one in late) / len(late)
    mean_bytes = sum(one.n_bytes for one in late) / len(late)
    spread = sum((one.at - mean_at) ** 2 for one in late)
    together = sum((one.at - mean_at) * (one.n_bytes - mean_bytes) for one in late)
    return SLOPE_SECONDS * together / spread if spread else 0.0


def _table(samples: Samples) -> Table:
    table = Table(title="memory under a steady load", title_justify="left")
    table.add_column("process")
    for heading in ("MiB first", "MiB last", "MiB in 10 minutes", "descriptors first", "last"):
        table.add_column(heading, justify="right")
    for name, taken in sorted(samples.items()):
        first, last = taken[0], taken[-1]
        megabytes = (f"{value / MIB:.1f}" for value in (first.n_bytes, last.n_bytes, slope(taken)))
        table.add_row(name, *megabytes, str(first.descriptors), str(last.descriptors))
    return table


if __name__ == "__main__":
    main()

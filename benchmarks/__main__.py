"""`python -m benchmarks [NAME ...]`: every speed that is claimed, or the named ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from benchmarks import (
    cached_pictures,
    mixed_load,
    overhead,
    page_speed,
    queue_rate,
    refusals,
    throughput,
    trust_cost,
)
from benchmarks.causal import experiments
from benchmarks.classics import table as classics
from benchmarks.figures import Figure, print_figures
from benchmarks.methods import speed, truth

BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "throughput": throughput.measure,
    "overhead": overhead.measure,
    "mixed-load": mixed_load.measure,
    "cached-pictures": cached_pictures.measure,
    "queue": queue_rate.measure,
    "refusals": refusals.measure,
    "page": page_speed.measure,
    "trust-cost": trust_cost.measure,
    "method-speed": speed.measure,
    "causal": experiments.measure,
    "method-truth": lambda: [*truth.measure(), *classics.measure()],
}


def main() -> None:
    """Run them one after the other, so that none disturbs another, and print one table."""
    unknown = set(sys.argv[1:]) - BENCHMARKS.keys()
    if unknown:
        raise SystemExit(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    os.environ["RATIONALE_SANITY_CHECKS"] = "false"  # services do the work that is measured, and no other
    figures = []
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"== {name}", flush=True)
        figures += BENCHMARKS[name]()
    print_figures(figures)


if __name__ == "__main__":
    main()

"""Why work that comes nearer step by step ends."""

from __future__ import annotations

from jobs.result import Stop


def stop_of(*, settled: bool, exhausted: bool, late: bool) -> Stop | None:
    """The reason to stop, the best one of those that hold; None to go on."""
    if settled:
        return Stop.CONVERGED
    if exhausted:
        return Stop.EXHAUSTED
    return Stop.DEADLINE if late else None

"""What is found out about a model before it is served."""

from __future__ import annotations

from enum import StrEnum

from jobs.job import Message


class Outcome(StrEnum):
    """How one step of a check ended; the first two are good, and so is a refusal that says why."""

    LOADED = "loaded"
    EXPLAINED = "explained"
    REFUSED = "refused"
    FAILED = "failed"
    BROKEN = "broken"


BAD = frozenset({Outcome.FAILED, Outcome.BROKEN})


class Check(Message):
    """One step: a model that was loaded, or a method that was run on it."""

    model: str
    method: str | None = None
    outcome: Outcome
    detail: str = ""
    seconds: float | None = None
    native_grid: tuple[int, int] | None = None
    layer: str | None = None
    flags: tuple[str, ...] = ()

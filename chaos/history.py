"""What was seen from outside during a run; times are seconds of one monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from chaos.orders import Act
from jobs.job import State


@dataclass(frozen=True)
class Accepted:
    """The API has given an id to a request: from now on the job counts."""

    at: float
    job: str
    act: Act
    relevance: tuple[float, ...]


@dataclass(frozen=True)
class Told:
    """Redis has told that a job is in a state."""

    at: float
    job: str
    state: State


@dataclass(frozen=True)
class Owned:
    """A job was found with another owner than before."""

    at: float
    job: str
    owner: str


@dataclass(frozen=True)
class Seen:
    """What the API has answered about a job; without a state there was no such job.

    `etag` names the document byte by byte. `relevance` is the map where it was asked for, `logit` its first
    value as the document has it.
    """

    at: float
    job: str
    state: State | None
    code: str = ""
    etag: str = ""
    logit: float | None = None
    relevance: tuple[float, ...] | None = None


class Harm(StrEnum):
    """What was done to the service."""

    WORKER_KILLED = "worker killed"
    CHILD_KILLED = "child killed"
    WORKER_FROZEN = "worker frozen"
    REDIS_KILLED = "redis killed"
    API_KILLED = "api killed"
    CUT = "connections cut"
    SLOWED = "connections slowed"
    HELD = "connections held"


@dataclass(frozen=True)
class Blow:
    """One harm: its time, when its cause was over, its victim, and the jobs that the victim held then."""

    at: float
    harm: Harm
    victim: str = ""
    jobs: tuple[str, ...] = ()
    over: float | None = None


@dataclass
class History:
    """Everything in the order in which it was noted; `surprises` are answers that no client should get."""

    accepted: list[Accepted] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    owned: list[Owned] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    blows: list[Blow] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)

"""What a worker is given: the shared room, connected, and how much it may take on."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.catalogue import Catalogue
from jobs.queue import JobQueue
from jobs.registry import Registry
from jobs.store import JobStore


@dataclass(frozen=True)
class Services:
    """The shared room of one worker; the catalogue is the printed one, so that no torch is needed."""

    queue: JobQueue
    store: JobStore
    registry: Registry
    catalogue: Catalogue


@dataclass(frozen=True)
class Limits:
    """How much a worker takes on, and for how long; the bytes are those of a batch's pixels."""

    max_batch: int
    max_batch_bytes: int
    held_jobs: int
    job_deadline_seconds: float

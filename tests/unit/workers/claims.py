"""Claims of small jobs, each younger than the one before."""

from __future__ import annotations

from itertools import count

from jobs.job import ImageRef, Job, Lane, MethodRef, ModelRef
from jobs.queue import Claim
from tests.samples import sample_job, sample_model, sample_survey

A = sample_model("a")
B = sample_model("b")
_entries = count(1_000)


def survey(images: int = 3, *, cost: float = 1.0, name: str = "headcount", tenant: str = "clinic") -> Claim:
    job = sample_survey(*(f"{name} {place}" for place in range(images)), tenant=tenant)
    changed = {"model": A, "method": MethodRef(name=name, version=1)}
    return Claim(job.model_copy(update=changed), f"{next(_entries)}-0", "w", 0, 1, cost=cost)


def claim(
    model: ModelRef = A,
    method: str = "saliency",
    *,
    entry: str = "",
    tenant: str = "clinic",
    lane: Lane = Lane.INTERACTIVE,
    cost: float = 1.0,
    n_bytes: int = 64,
    image: str | None = None,
    targets: tuple[int, ...] = (),
) -> Claim:
    job = sample_job(model=model, image=image, tenant=tenant)
    sized = ImageRef.model_validate(job.image.model_dump() | {"height": 1, "width": n_bytes})
    changed = {"method": MethodRef(name=method, version=1), "image": sized, "targets": targets}
    job = Job.model_validate(job.model_copy(update=changed).model_dump())
    return Claim(job, entry or f"{next(_entries)}-0", "w", 0, 1, lane=lane, cost=cost)

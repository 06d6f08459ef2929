"""Which keys a change of a job touches, in the order in which the scripts unpack them."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.job import Job, ModelRef
from jobs.keys import Keys


@dataclass(frozen=True)
class Hold:
    """What proves a claim to the scripts: the entry, who holds it, and its how-manieth delivery it was."""

    job_id: str
    model: ModelRef
    entry: str
    consumer: str
    deliveries: int


def places(keys: Keys, job: Job) -> tuple[str, ...]:
    """Every key that a job may touch from its beginning to its end."""
    return (
        keys.job(job.id),
        keys.result(job.id),
        keys.maps(job.id),
        keys.queue(job.model),
        keys.pending(job.tenant),
        keys.pace(job.model.key),
        keys.load(job.model.key),
        keys.tenant_load(job.tenant),
        keys.events(job.id),
        *image_places(keys, job),
    )


def burden(keys: Keys, job_id: str, tenant: str, model_key: str) -> tuple[str, ...]:
    """Where a job that is not finished is queued, weighs and is told of."""
    return (
        keys.queue_named(model_key),
        keys.pending(tenant),
        keys.load(model_key),
        keys.tenant_load(tenant),
        keys.events(job_id),
    )


def image_places(keys: Keys, job: Job) -> tuple[str, ...]:
    """Two keys of each image, behind all others."""
    return tuple(key for image in images(job) for key in (keys.image(image), keys.image_jobs(image)))


def images(job: Job) -> tuple[str, ...]:
    """The names of a job's pictures, each once."""
    return tuple(dict.fromkeys(image.key for image in job.images))


def told(keys: Keys, hold: Hold) -> tuple[str, ...]:
    """The keys of a job whose change is told while it stays in its queue."""
    return keys.job(hold.job_id), keys.queue(hold.model), keys.events(hold.job_id)

"""Which keys a change of a job touches, in the order in which the scripts unpack them."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.job import Flow, Job, ModelRef
from jobs.keys import Keys


@dataclass(frozen=True)
class Hold:
    """What proves a claim to the scripts: the entry, who holds it, and its how-manieth delivery it was."""

    job_id: str
    model: ModelRef
    flow: Flow
    entry: str
    consumer: str
    deliveries: int


def kept(keys: Keys, job_id: str) -> tuple[str, str, str]:
    """What is kept of a job."""
    return keys.job(job_id), keys.result(job_id), keys.maps(job_id)


def burden(keys: Keys, job_id: str, model_key: str, flow: Flow) -> tuple[str, ...]:
    """Where a job that is not finished is queued, weighs and is told of."""
    return (
        keys.queue(model_key, flow),
        keys.pending(flow.tenant),
        keys.unfinished(model_key),
        keys.load(model_key),
        keys.tenant_load(flow.tenant),
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
    return keys.job(hold.job_id), keys.queue(hold.model.key, hold.flow), keys.events(hold.job_id)

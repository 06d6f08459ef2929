"""Which keys a change of a job touches, in the order in which the scripts unpack them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.job import Flow, Job, ModelRef
from jobs.keys import Keys
from jobs.lua import Argument


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
    """Where a job that is not finished is queued, weighs and is told of, by events and by calls."""
    return (
        keys.queue(model_key, flow),
        keys.pending(flow.tenant),
        keys.unfinished(model_key),
        keys.load(model_key),
        keys.tenant_load(flow.tenant),
        keys.events(job_id),
        *calls(keys, job_id),
    )


def entrance(keys: Keys, job: Job, flow: Flow) -> tuple[str, ...]:
    """What enqueue.lua touches, and the pace that its price follows from."""
    return (
        *kept(keys, job.id),
        *burden(keys, job.id, job.model.key, flow),
        keys.pace(job.model.key),
        keys.flows(job.model.key),
        keys.bell(job.model.key, flow.lane),
    )


def calls(keys: Keys, name: str) -> tuple[str, ...]:
    """Whom a job or an analysis calls, and where the calls wait until they are due."""
    return keys.webhooks(name), keys.calls


def image_places(keys: Keys, job: Job) -> tuple[str, ...]:
    """Two keys of each image, behind all others."""
    return tuple(key for image in images(job) for key in (keys.image(image), keys.image_users(image)))


def users(keys: Keys, mates: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], tuple[Argument, ...]]:
    """Keys and words of `leave_images` for images, each with its other users."""
    touched: list[str] = []
    words: list[Argument] = []
    for image, others in mates.items():
        touched += (keys.image(image), keys.image_users(image), *map(keys.user, others))
        words += (len(others), *others)
    return tuple(touched), tuple(words)


def images(job: Job) -> tuple[str, ...]:
    """The names of a job's pictures, each once."""
    return tuple(dict.fromkeys(picture.key for picture in job.pictures.values()))


def told(keys: Keys, hold: Hold) -> tuple[str, ...]:
    """The keys of a job whose change is told while it stays in its queue."""
    return keys.job(hold.job_id), keys.queue(hold.model.key, hold.flow), keys.events(hold.job_id)

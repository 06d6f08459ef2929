"""What is done to a job on behalf of its tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.job import Flow, Job, Lane, Terms
from jobs.keys import GROUP, Keys
from jobs.lua import Argument, Call, load
from jobs.moves.places import burden, entrance, image_places, images, kept, users
from jobs.moves.webhooks import wanted


@dataclass(frozen=True)
class Limits:
    """How much may be unfinished: jobs of a model and of a tenant, and seconds, predicted from the pace.

    `wait_seconds` bounds how long a job of a model may have to wait, `tenant_seconds` what the jobs of a
    tenant may take on the device in each of its lanes.
    """

    jobs: int = 1000
    tenant_jobs: int = 500
    wait_seconds: float = 3600.0
    tenant_seconds: float = 7200.0


def submit(keys: Keys, job: Job, pixels: Mapping[str, bytes], terms: Terms, limits: Limits) -> Call:
    """Accept a job once; `pixels` are by image, and those left out must be stored already."""
    flow = Flow(terms.lane, job.tenant)
    [other_lane] = set(Lane) - {terms.lane}
    touched = (
        *entrance(keys, job, flow),
        keys.queue(job.model.key, Flow(other_lane, job.tenant)),
        *image_places(keys, job),
    )
    words: list[Argument] = [
        job.id,
        job.tenant,
        job.model_dump_json(),
        job.model.key,
        job.image.key,
        job.reference.key if job.reference else "",
        job.mask.key if job.mask else "",
        job.method.name,
        flow.name,
        terms.lane,
        terms.cost,
        "" if terms.deadline_seconds is None else terms.deadline_seconds,
        limits.jobs,
        limits.tenant_jobs,
        limits.wait_seconds,
        limits.tenant_seconds,
        keys.lifetimes.result,
        keys.lifetimes.queue,
        keys.changes,
        GROUP,
        *wanted(terms.webhook, terms.webhook_events),
    ]
    for image in images(job):
        words += (int(image in pixels), pixels.get(image, b""))
    return Call(load("submit"), touched, tuple(words))


def retry(keys: Keys, job: Job, flow: Flow, letter: str) -> Call:
    """Queue the failed job of a dead letter again."""
    touched = (*entrance(keys, job, flow), keys.dead, *image_places(keys, job))
    lifetimes = (keys.lifetimes.result, keys.lifetimes.queue)
    words = (job.id, letter, job.method.name, flow.name, *lifetimes, keys.changes, GROUP)
    return Call(load("retry"), touched, words)


def outlook(keys: Keys, model_key: str) -> Call:
    """Predict how long the queue of a model needs."""
    return Call(load("outlook"), (keys.pace(model_key), keys.load(model_key)), ())


def cancel(keys: Keys, job_id: str, model_key: str, flow: Flow) -> Call:
    """End a tenant's unfinished job."""
    touched = (keys.job(job_id), *burden(keys, job_id, model_key, flow), keys.draft(job_id))
    return Call(load("cancel"), touched, (job_id, keys.changes, GROUP, flow.tenant, keys.lifetimes.result))


def erase(keys: Keys, job_id: str, model_key: str, flow: Flow, *, mates: Mapping[str, Sequence[str]]) -> Call:
    """Remove all that is kept of a tenant's job; `mates` are the other users of each of its images."""
    own = (*kept(keys, job_id), *burden(keys, job_id, model_key, flow), keys.dead, keys.draft(job_id))
    touched, words = users(keys, mates)
    arguments = (job_id, keys.changes, GROUP, flow.tenant, keys.lifetimes.result, *words)
    return Call(load("erase"), (*own, *touched), arguments)

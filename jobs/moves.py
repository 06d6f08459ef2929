"""Every change of a job as one script call: which keys it touches and what it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobs.changes import Change
from jobs.errors import Failure
from jobs.job import Job, ModelRef, State
from jobs.keys import GROUP, Keys
from jobs.lua import Argument, Call, load
from jobs.result import Draft, Maps, Result

NOBODY = "nobody"
FORGET_CONSUMER_MS = 3600 * 1000
RELEASED_IDLE_MS = 24 * 3600 * 1000
MAX_DEAD_LETTERS = 10_000


@dataclass(frozen=True)
class Hold:
    """What proves a claim to the scripts: the entry, who holds it, and its how-manieth delivery it was."""

    job_id: str
    model: ModelRef
    entry: str
    consumer: str
    deliveries: int


def submit(keys: Keys, job: Job, pixels: Mapping[str, bytes], *, capacity: int, tenant_capacity: int) -> Call:
    """Accept a job once; `pixels` are by image, and those left out must be stored already."""
    words: list[Argument] = [
        job.id,
        job.tenant,
        job.model_dump_json(),
        job.model.key,
        job.image.key,
        job.reference.key if job.reference else "",
        capacity,
        tenant_capacity,
        keys.lifetimes.result,
        keys.lifetimes.queue,
        keys.changes,
    ]
    for image in _images(job):
        words += (int(image in pixels), pixels.get(image, b""))
    return Call(load("submit"), _places(keys, job), tuple(words))


def group(keys: Keys, model: ModelRef) -> Call:
    """Make the group of a queue."""
    arguments = (GROUP, keys.lifetimes.queue, FORGET_CONSUMER_MS)
    return Call(load("group"), (keys.queue(model),), arguments)


def reclaim(keys: Keys, model: ModelRef, *, consumer: str, lease_ms: int, count: int) -> Call:
    """Take over entries whose lease has lapsed."""
    arguments = (GROUP, consumer, lease_ms, count, keys.lifetimes.queue)
    return Call(load("reclaim"), (keys.queue(model),), arguments)


def interrupt(keys: Keys, hold: Hold) -> Call:
    """Count that a job was running when its worker let go of it."""
    return Call(load("interrupt"), _job_and_queue(keys, hold), _proof(keys, hold))


def start(keys: Keys, starts: Sequence[tuple[Hold, Job]]) -> Call:
    """Mark claimed jobs as running."""
    touched: list[str] = []
    words: list[Argument] = [keys.changes, GROUP, keys.lifetimes.result]
    for hold, job in starts:
        places = (*_job_and_queue(keys, hold), *_image_places(keys, job))
        touched += places
        words += (len(places), hold.job_id, hold.entry, hold.consumer, hold.deliveries)
    return Call(load("start"), tuple(touched), tuple(words))


def renew(keys: Keys, model: ModelRef, consumer: str, holds: Sequence[Hold]) -> Call:
    """Renew the leases of one consumer on one queue."""
    arguments: list[Argument] = [GROUP, consumer]
    for hold in holds:
        arguments += (hold.entry, hold.deliveries)
    return Call(load("renew"), (keys.queue(model),), tuple(arguments))


def report(keys: Keys, hold: Hold, progress: float) -> Call:
    """Note how far a running job is, 0 to 1."""
    return Call(load("report"), _job_and_queue(keys, hold), (*_proof(keys, hold), _share(progress)))


def draft(keys: Keys, hold: Hold, progress: float, draft: Draft, maps: Maps) -> Call:
    """Keep what a running job has found so far, and tell of it."""
    share = _share(progress)
    change = Change(id=hold.job_id, state=State.RUNNING, progress=float(share), drafts=draft.targets)
    arguments: tuple[Argument, ...] = (
        share,
        change.model_dump_json(),
        keys.lifetimes.draft,
        *("draft", draft.model_dump_json()),
        *_words(maps),
    )
    touched = (*_job_and_queue(keys, hold), keys.draft(hold.job_id))
    return Call(load("draft"), touched, (*_proof(keys, hold), *arguments))


def commit(keys: Keys, commits: Sequence[tuple[Hold, Job, Result, Maps]]) -> Call:
    """Store results and end their jobs."""
    touched: list[str] = []
    words: list[Argument] = [keys.changes, GROUP, keys.lifetimes.result, keys.lifetimes.seen]
    for hold, job, result, maps in commits:
        places = (keys.draft(job.id), *_places(keys, job))
        touched += places
        words += (len(places), hold.job_id, hold.entry, hold.consumer, hold.deliveries)
        words += (result.model_dump_json(), 2 * len(maps))
        words += _words(maps)
    return Call(load("commit"), tuple(touched), tuple(words))


def fail(keys: Keys, hold: Hold, tenant: str, failure: Failure, *, dead_letter: bool) -> Call:
    """End a job with a failure."""
    touched = (*_job_and_queue(keys, hold), keys.pending(tenant), keys.dead, keys.draft(hold.job_id))
    letter = {
        "id": hold.job_id,
        "tenant": tenant,
        "model": hold.model.key,
        "code": failure.code,
        "detail": failure.detail,
    }
    arguments: tuple[Argument, ...] = (
        failure.model_dump_json(),
        keys.lifetimes.result,
        int(dead_letter),
        keys.lifetimes.dead,
        MAX_DEAD_LETTERS,
        *(word for field in letter.items() for word in field),
    )
    return Call(load("fail"), touched, (*_proof(keys, hold), *arguments))


def crash(keys: Keys, hold: Hold, token: str) -> Call:
    """Count that a job took its worker down; equal tokens count once."""
    return Call(load("crash"), _job_and_queue(keys, hold), (*_proof(keys, hold), token))


def release(keys: Keys, hold: Hold) -> Call:
    """Give a claim back."""
    return Call(load("release"), _job_and_queue(keys, hold), (*_proof(keys, hold), NOBODY, RELEASED_IDLE_MS))


def discard(keys: Keys, hold: Hold) -> Call:
    """Drop an entry that stands for no job."""
    proof = (GROUP, hold.entry, hold.consumer, hold.deliveries)
    return Call(load("discard"), (keys.queue(hold.model),), proof)


def cancel(keys: Keys, tenant: str, job_id: str, model_key: str) -> Call:
    """End a tenant's unfinished job."""
    touched = (keys.job(job_id), keys.queue_named(model_key), keys.pending(tenant), keys.draft(job_id))
    return Call(load("cancel"), touched, (job_id, keys.changes, GROUP, tenant, keys.lifetimes.result))


def erase(
    keys: Keys, tenant: str, job_id: str, model_key: str, *, image_jobs: Mapping[str, Sequence[str]]
) -> Call:
    """Remove all that is kept of a tenant's job; `image_jobs` are its images, each with its other jobs."""
    touched = [
        keys.job(job_id),
        keys.result(job_id),
        keys.maps(job_id),
        keys.queue_named(model_key),
        keys.pending(tenant),
        keys.dead,
        keys.draft(job_id),
    ]
    words: list[Argument] = [job_id, keys.changes, GROUP, tenant]
    for image, mates in image_jobs.items():
        touched += (keys.image(image), keys.image_jobs(image), *map(keys.job, mates))
        words += (len(mates), *mates)
    return Call(load("erase"), tuple(touched), tuple(words))


def _places(keys: Keys, job: Job) -> tuple[str, ...]:
    """Every key that a job may touch from its beginning to its end."""
    return (
        keys.job(job.id),
        keys.result(job.id),
        keys.maps(job.id),
        keys.queue(job.model),
        keys.pending(job.tenant),
        keys.pace(job.model),
        *_image_places(keys, job),
    )


def _image_places(keys: Keys, job: Job) -> tuple[str, ...]:
    """Two keys of each image, behind all others."""
    return tuple(key for image in _images(job) for key in (keys.image(image), keys.image_jobs(image)))


def _images(job: Job) -> tuple[str, ...]:
    """The names of a job's pictures, each once."""
    return tuple(dict.fromkeys(image.key for image in job.images))


def _job_and_queue(keys: Keys, hold: Hold) -> tuple[str, str]:
    return keys.job(hold.job_id), keys.queue(hold.model)


def _proof(keys: Keys, hold: Hold) -> tuple[Argument, ...]:
    return (hold.job_id, keys.changes, GROUP, hold.entry, hold.consumer, hold.deliveries)


def _words(maps: Maps) -> Iterator[Argument]:
    return (word for name, values in maps.items() for word in (name, values))


def _share(progress: float) -> str:
    return f"{progress:.6f}"

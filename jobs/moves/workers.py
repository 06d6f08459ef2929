"""What a worker does with the jobs that it claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobs.changes import Change
from jobs.errors import DeadlineExceeded, Failure
from jobs.job import Flow, Job, ModelRef, State
from jobs.keys import GROUP, Keys
from jobs.lua import Argument, Call, load
from jobs.moves.places import Hold, burden, image_places, kept, told
from jobs.result import Draft, Maps, Result

NOBODY = "nobody"
FORGET_SECONDS = 3600
RELEASED_IDLE_MS = 24 * 3600 * 1000
MAX_DEAD_LETTERS = 10_000
TOO_LATE = Failure.of(DeadlineExceeded("The job could not begin in time to be done by its deadline."))


def group(keys: Keys, model: ModelRef, flow: Flow) -> Call:
    """Make the group of a queue, or forget what is idle."""
    arguments = (GROUP, flow.name, keys.lifetimes.queue, FORGET_SECONDS)
    return Call(load("group"), (keys.queue(model.key, flow), keys.flows(model.key)), arguments)


def reclaim(keys: Keys, model: ModelRef, flow: Flow, *, consumer: str, lease_ms: int, count: int) -> Call:
    """Take over entries whose lease has lapsed."""
    arguments = (GROUP, consumer, lease_ms, count, keys.lifetimes.queue)
    return Call(load("reclaim"), (keys.queue(model.key, flow),), arguments)


def interrupt(keys: Keys, hold: Hold) -> Call:
    """Count that a job was running when its worker let go of it."""
    return Call(load("interrupt"), told(keys, hold), _proof(keys, hold))


def start(keys: Keys, starts: Sequence[tuple[Hold, Job]]) -> Call:
    """Mark claimed jobs as running."""
    touched: list[str] = []
    words: list[Argument] = [keys.changes, GROUP, keys.lifetimes.result, TOO_LATE.model_dump_json()]
    for hold, job in starts:
        touches = (
            keys.job(job.id),
            *burden(keys, job.id, job.model.key, hold.flow),
            *image_places(keys, job),
        )
        touched += touches
        words += (len(touches), hold.job_id, hold.entry, hold.consumer, hold.deliveries)
    return Call(load("start"), tuple(touched), tuple(words))


def renew(keys: Keys, model: ModelRef, flow: Flow, consumer: str, holds: Sequence[Hold]) -> Call:
    """Renew the leases of one consumer on one queue."""
    arguments: list[Argument] = [GROUP, consumer]
    for hold in holds:
        arguments += (hold.entry, hold.deliveries)
    return Call(load("renew"), (keys.queue(model.key, flow),), tuple(arguments))


def report(keys: Keys, hold: Hold, progress: float) -> Call:
    """Note how far a running job is, 0 to 1."""
    return Call(load("report"), told(keys, hold), (*_proof(keys, hold), _share(progress)))


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
    touched = (*told(keys, hold), keys.draft(hold.job_id))
    return Call(load("draft"), touched, (*_proof(keys, hold), *arguments))


def commit(keys: Keys, commits: Sequence[tuple[Hold, Job, Result, Maps]]) -> Call:
    """Store results and end their jobs."""
    touched: list[str] = []
    words: list[Argument] = [keys.changes, GROUP, keys.lifetimes.result, keys.lifetimes.seen]
    for hold, job, result, maps in commits:
        touches = (
            keys.draft(job.id),
            *kept(keys, job.id),
            *burden(keys, job.id, job.model.key, hold.flow),
            keys.pace(job.model.key),
            *image_places(keys, job),
        )
        touched += touches
        words += (len(touches), hold.job_id, hold.entry, hold.consumer, hold.deliveries)
        words += (job.method.name, result.timings.compute_s, result.model_dump_json(), 2 * len(maps))
        words += _words(maps)
    return Call(load("commit"), tuple(touched), tuple(words))


def fail(keys: Keys, hold: Hold, failure: Failure, *, dead_letter: bool) -> Call:
    """End a job with a failure."""
    weighed = burden(keys, hold.job_id, hold.model.key, hold.flow)
    touched = (keys.job(hold.job_id), *weighed, keys.dead, keys.draft(hold.job_id))
    letter = {
        "id": hold.job_id,
        "tenant": hold.flow.tenant,
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
    return Call(load("crash"), told(keys, hold), (*_proof(keys, hold), token))


def release(keys: Keys, hold: Hold) -> Call:
    """Give a claim back."""
    touched = (*told(keys, hold), keys.bell(hold.model.key, hold.flow.lane))
    words = (*_proof(keys, hold), NOBODY, RELEASED_IDLE_MS, keys.lifetimes.queue)
    return Call(load("release"), touched, words)


def discard(keys: Keys, hold: Hold) -> Call:
    """Drop an entry that stands for no job."""
    touched = (keys.job(hold.job_id), *burden(keys, hold.job_id, hold.model.key, hold.flow))
    words = (hold.job_id, GROUP, hold.entry, hold.consumer, hold.deliveries)
    return Call(load("discard"), touched, words)


def _proof(keys: Keys, hold: Hold) -> tuple[Argument, ...]:
    return (hold.job_id, keys.changes, GROUP, hold.entry, hold.consumer, hold.deliveries)


def _words(maps: Maps) -> Iterator[Argument]:
    return (word for name, values in maps.items() for word in (name, values))


def _share(progress: float) -> str:
    return f"{progress:.6f}"

"""Which promises a history breaks: pure functions of what was seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import astuple, dataclass

from chaos.history import Accepted, Harm, History, Seen
from chaos.orders import Act
from jobs.claims import MAX_INTERRUPTIONS
from jobs.errors import DeadlineExceeded, WorkerCrashed
from jobs.job import FINISHED, State

MAX_CRASHES = 3  # so many children that a job has taken down are its fault
DUE = {Act.CRASH: WorkerCrashed.code, Act.HANG: DeadlineExceeded.code}


@dataclass(frozen=True)
class Verdict:
    """The jobs with which a promise was broken, and answers of the API that nobody should get."""

    lost: tuple[str, ...]
    changed: tuple[str, ...]
    wrong: tuple[str, ...]
    told_twice: tuple[str, ...]
    untold: tuple[str, ...]
    surprises: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not any(astuple(self))


def judge(history: History) -> Verdict:
    """All that is wrong with a history."""
    return Verdict(
        lost=lost(history),
        changed=changed(history),
        wrong=wrong(history),
        told_twice=told_twice(history),
        untold=untold(history),
        surprises=tuple(history.surprises),
    )


def lost(history: History) -> tuple[str, ...]:
    """Accepted jobs that had not ended when they were last looked at, or were not known any more."""
    last = {seen.job: seen.state for seen in history.seen}
    return tuple(job for job in _accepted(history) if last.get(job) not in FINISHED)


def changed(history: History) -> tuple[str, ...]:
    """Jobs that ended in two ways, or whose document was not the same at every look after the end."""
    ends: dict[str, set[tuple[State | None, str, str]]] = defaultdict(set)
    ended: set[str] = set()
    for seen in history.seen:
        if seen.state in FINISHED or seen.job in ended:
            ended.add(seen.job)
            ends[seen.job].add((seen.state, seen.code, seen.etag))
    return tuple(job for job in _accepted(history) if len(ends[job]) > 1)


def wrong(history: History) -> tuple[str, ...]:
    """Jobs that ended otherwise than their image orders, or whose answer is not the one that it implies."""
    accepted = _accepted(history)
    hits = Counter((job, blow.harm is Harm.CHILD_KILLED) for blow in history.blows for job in blow.jobs)
    bad = dict.fromkeys(
        seen.job
        for seen in history.seen
        if seen.job in accepted
        and seen.state in FINISHED
        and not _is_due(
            accepted[seen.job], seen, children=hits[seen.job, True], workers=hits[seen.job, False]
        )
    )
    return tuple(bad)


def told_twice(history: History) -> tuple[str, ...]:
    """Jobs that were said to be done more than once."""
    done = _told_done(history)
    return tuple(job for job in _accepted(history) if done[job] > 1)


def untold(history: History) -> tuple[str, ...]:
    """Jobs that are done without a word."""
    done = _told_done(history)
    is_done = {seen.job for seen in history.seen if seen.state is State.DONE}
    return tuple(job for job in _accepted(history) if job in is_done and not done[job])


def _accepted(history: History) -> Mapping[str, Accepted]:
    return {one.job: one for one in history.accepted}


def _told_done(history: History) -> Counter[str]:
    return Counter(told.job for told in history.told if told.state is State.DONE)


def _is_due(accepted: Accepted, seen: Seen, *, children: int, workers: int) -> bool:
    """Also a job that is blamed for what was done to so many of those who had it."""
    if seen.state is State.FAILED:
        may_be_blamed = children >= MAX_CRASHES or workers >= MAX_INTERRUPTIONS
        return (seen.code == WorkerCrashed.code and may_be_blamed) or seen.code == DUE.get(accepted.act)
    return (
        seen.state is State.DONE
        and accepted.act is Act.ANSWER
        and seen.logit in (None, accepted.relevance[0])
        and seen.relevance in (None, accepted.relevance)
    )

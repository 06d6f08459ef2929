"""How long it took until what was hit worked again: pure functions of what was seen."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaos.history import Blow, Harm, History
from jobs.job import FINISHED, State

ON_THE_WAY_SECONDS = 0.05  # what is heard so soon after a blow was said before it


def takeovers(history: History) -> list[float]:
    """Seconds from the kill of each busy worker until others had all jobs that it held, or they had ended."""
    owners = [_Sign(owned.at, owned.job, owned.owner) for owned in history.owned]
    return _until(history, Harm.WORKER_KILLED, [*owners, *_runs(history)])


def recoveries(history: History, harm: Harm) -> list[float]:
    """Seconds from each blow until all jobs that its victim held ran again, or had ended.

    That includes the time that they waited for their new owner to finish what it had begun.
    """
    return _until(history, harm, _runs(history))


def outages(history: History) -> list[float]:
    """Seconds from each kill of Redis until the next job was accepted."""
    accepted = sorted(one.at for one in history.accepted)
    kills = [blow for blow in history.blows if blow.harm is Harm.REDIS_KILLED]
    ends = [(blow.at, _first(accepted, blow.over or blow.at)) for blow in kills]
    return [end - begin for begin, end in ends if end is not None]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(share * len(ordered))) - 1] if ordered else 0.0


@dataclass(frozen=True)
class _Sign:
    """A job was alive; `owner` is whose it was, where that is known."""

    at: float
    job: str
    owner: str = ""


def _runs(history: History) -> list[_Sign]:
    return [_Sign(told.at, told.job) for told in history.told if told.state is not State.QUEUED]


def _until(history: History, harm: Harm, signs: Iterable[_Sign]) -> list[float]:
    """Seconds from each blow until there was a sign of each job.

    Left out are blows during which Redis was away too, and jobs whose next owner was hit before there was a
    sign: theirs count from that blow.
    """
    by_job = _by_job([*signs, *(_Sign(seen.at, seen.job) for seen in history.seen if seen.state in FINISHED)])
    away = [(blow.at, blow.over or blow.at) for blow in history.blows if blow.harm is Harm.REDIS_KILLED]
    hits: dict[str, list[float]] = defaultdict(list)
    for blow in history.blows:
        for job in blow.jobs:
            hits[job].append(blow.at)
    found = []
    for blow in history.blows:
        if blow.harm is not harm:
            continue
        ends = [_after(blow, by_job[job], hits[job]) for job in blow.jobs]
        end = max((end for end in ends if end is not None), default=None)
        if end is not None and not any(begin < end and over > blow.at for begin, over in away):
            found.append(end - blow.at)
    return found


def _by_job(signs: Iterable[_Sign]) -> defaultdict[str, list[_Sign]]:
    by_job: defaultdict[str, list[_Sign]] = defaultdict(list)
    for sign in sorted(signs, key=lambda sign: sign.at):
        by_job[sign.job].append(sign)
    return by_job


def _after(blow: Blow, signs: Sequence[_Sign], hits: Sequence[float]) -> float | None:
    """When there was a sign of a job after a blow, unless another blow hit it before."""
    end = next((sign.at for sign in signs if _comes_after(sign, blow)), None)
    next_hit = _first(hits, blow.at)
    return None if end is None or (next_hit is not None and next_hit < end) else end


def _comes_after(sign: _Sign, blow: Blow) -> bool:
    """Where it is not known whose job it was, the victim may have said so just before the blow."""
    if sign.owner:
        return sign.at > blow.at and sign.owner != blow.victim
    return sign.at > blow.at + ON_THE_WAY_SECONDS


def _first(times: Iterable[float], after: float) -> float | None:
    return next((time for time in times if time > after), None)

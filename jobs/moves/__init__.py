"""Every change of a job as one script call: which keys it touches and what it is told."""

from jobs.moves.clients import Limits, cancel, erase, outlook, submit
from jobs.moves.places import Hold
from jobs.moves.workers import (
    commit,
    crash,
    discard,
    draft,
    fail,
    group,
    interrupt,
    reclaim,
    release,
    renew,
    report,
    start,
)

__all__ = [
    "Hold",
    "Limits",
    "cancel",
    "commit",
    "crash",
    "discard",
    "draft",
    "erase",
    "fail",
    "group",
    "interrupt",
    "outlook",
    "reclaim",
    "release",
    "renew",
    "report",
    "start",
    "submit",
]

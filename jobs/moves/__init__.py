"""Every change of a job as one script call: which keys it touches and what it is told."""

from jobs.moves.bindings import abandon, bind, reserve
from jobs.moves.clients import Limits, cancel, erase, outlook, retry, submit
from jobs.moves.image_sets import drop_set, keep_set, leave_set, renew_set
from jobs.moves.places import Hold
from jobs.moves.webhooks import collect, settle
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
    "abandon",
    "bind",
    "cancel",
    "collect",
    "commit",
    "crash",
    "discard",
    "draft",
    "drop_set",
    "erase",
    "fail",
    "group",
    "interrupt",
    "keep_set",
    "leave_set",
    "outlook",
    "reclaim",
    "release",
    "renew",
    "renew_set",
    "report",
    "reserve",
    "retry",
    "settle",
    "start",
    "submit",
]

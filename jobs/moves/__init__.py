"""Every change of a job as one script call: which keys it touches and what it is told."""

from jobs.moves.analyses import (
    begin_analysis,
    end_analysis,
    erase_analysis,
    hold_analysis,
    note_part,
    open_analysis,
    own_job,
    report_analysis,
    take,
)
from jobs.moves.bindings import abandon, bind, reserve
from jobs.moves.clients import Limits, cancel, erase, outlook, retry, submit
from jobs.moves.image_sets import drop_set, keep_set, leave_set, renew_set
from jobs.moves.places import Hold
from jobs.moves.repairs import keep_repair
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
    "begin_analysis",
    "bind",
    "cancel",
    "collect",
    "commit",
    "crash",
    "discard",
    "draft",
    "drop_set",
    "end_analysis",
    "erase",
    "erase_analysis",
    "fail",
    "group",
    "hold_analysis",
    "interrupt",
    "keep_repair",
    "keep_set",
    "leave_set",
    "note_part",
    "open_analysis",
    "outlook",
    "own_job",
    "reclaim",
    "release",
    "renew",
    "renew_set",
    "report",
    "report_analysis",
    "reserve",
    "retry",
    "settle",
    "start",
    "submit",
    "take",
]

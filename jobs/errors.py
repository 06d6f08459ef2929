"""Every error that Rationale raises on purpose, in one tree.

    RationaleError
    |-- InvalidRequest        one or more fields of a request are wrong; all of them are named
    |-- NotFound              no such explanation, method, model or picture (or not this tenant's)
    |-- Gone                  it was there and its lifetime is over
    |-- NotFinished           the explanation exists but has no result yet
    |-- Refused               the upload cannot be read
    |   |-- TooLarge          more bytes, pixels or frames than allowed
    |   |-- UnknownFormat     not a picture format that is read here
    |   `-- Damaged           a known format whose content is broken
    |-- Unauthorised          no credential, or one that is not known
    |-- QueueFull             the system holds as many jobs as it can (`retry_after` in seconds)
    |-- TenantFull            this tenant holds as many jobs as it may (`retry_after` in seconds)
    |-- DeadlineUnmeetable    too much is queued for a job to be done by its deadline (`retry_after`)
    |-- Unavailable           Redis or every worker is out of reach (`retry_after` in seconds)
    `-- JobFailed             the job itself ended without a map
        |-- NotExplainable    the method cannot explain this model or input; it names the layer or field
        |-- WorkerCrashed     the job took its worker down as often as is allowed
        |-- DeadlineExceeded  the job ran longer than it may
        |-- OutOfMemory       the device cannot hold the job even alone
        |-- ModelUnavailable  the model cannot be loaded: file missing, digest wrong, weights do not fit
        |-- ImageGone         the pixels were no longer stored when the job's turn came
        |-- Unreadable        the queue entry is not a job that this version understands
        `-- InternalError     a defect of ours; the log has its traceback

The errors know nothing of HTTP; `app/errors.py` alone maps them to status codes. `code` is stable and
machine-readable; it is also how an error travels through Redis (`Failure`).
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """One wrong field: where it is, and what would be right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    message: str


class RationaleError(Exception):
    """Base of the tree: a sentence for people, a code for programs, and the fields that are wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str, *, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = problems


class InvalidRequest(RationaleError):
    code = "invalid-request"


class NotFound(RationaleError):
    code = "not-found"


class Gone(RationaleError):
    code = "gone"


class NotFinished(RationaleError):
    code = "not-finished"


class Refused(RationaleError):
    code = "refused"


class TooLarge(Refused):
    code = "too-large"


class UnknownFormat(Refused):
    code = "unknown-format"


class Damaged(Refused):
    code = "damaged"


class Unauthorised(RationaleError):
    code = "unauthorised"


class Busy(RationaleError):
    """Base of the refusals that pass by themselves; `retry_after` is in whole seconds, at least 1."""

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = max(1, retry_after)


class QueueFull(Busy):
    code = "queue-full"


class TenantFull(Busy):
    code = "tenant-full"


class DeadlineUnmeetable(Busy):
    code = "deadline-unmeetable"


class Unavailable(Busy):
    code = "unavailable"


class JobFailed(RationaleError):
    code = "job-failed"


class NotExplainable(JobFailed):
    code = "not-explainable"

    @classmethod
    def about(cls, field: str, message: str) -> NotExplainable:
        """For a reason that one field of the request is to blame for."""
        return cls(message, problems=(Problem(field=field, message=message),))


class WorkerCrashed(JobFailed):
    code = "worker-crashed"


class DeadlineExceeded(JobFailed):
    code = "deadline-exceeded"


class OutOfMemory(JobFailed):
    code = "out-of-memory"


class ModelUnavailable(JobFailed):
    code = "model-unavailable"


class ImageGone(JobFailed):
    code = "image-gone"


class Unreadable(JobFailed):
    code = "unreadable"


class InternalError(JobFailed):
    code = "internal-error"


FAILURES: dict[str, type[JobFailed]] = {
    error.code: error
    for error in (
        NotExplainable,
        WorkerCrashed,
        DeadlineExceeded,
        OutOfMemory,
        ModelUnavailable,
        ImageGone,
        Unreadable,
        InternalError,
    )
}


class Failure(BaseModel):
    """A `JobFailed` as it is kept in Redis and sent between processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    detail: str
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, error: JobFailed) -> Failure:
        """The record of an error."""
        return cls(code=error.code, detail=error.detail, problems=error.problems)

    def error(self) -> JobFailed:
        """The error of a record; a code that this version does not know becomes a plain `JobFailed`."""
        return FAILURES.get(self.code, JobFailed)(self.detail, problems=self.problems)

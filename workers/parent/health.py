"""Whether a device is of use: it may fail under a job that is to blame, but not under job after job."""

from __future__ import annotations

from collections.abc import Sequence

MOST_JOBS = 3


class Health:
    """Counts the jobs under which the device failed while they had it for themselves, since it last worked.

    One job alone never makes it broken, however often it is tried: that one is put with the dead letters.
    """

    def __init__(self) -> None:
        self._victims: set[str] = set()

    @property
    def is_broken(self) -> bool:
        """Whether so many different jobs cannot all be to blame."""
        return len(self._victims) >= MOST_JOBS

    def worked(self) -> None:
        """A batch was answered."""
        self._victims.clear()

    def failed(self, jobs: Sequence[str]) -> None:
        """The device failed under these jobs."""
        if len(jobs) == 1:
            self._victims.update(jobs)

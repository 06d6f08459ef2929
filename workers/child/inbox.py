"""What the parent says to its child, read while the device is busy."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from workers.pipe import ChildEnd, PipeBrokenError, Work


class Inbox:
    """A thread that reads the pipe: batches go to `arrived` at once, and cancelled jobs are remembered.

    `closed` is called when the parent has closed the pipe.
    """

    def __init__(
        self, pipe: ChildEnd, arrived: Callable[[Work, list[bytes]], None], closed: Callable[[], None]
    ) -> None:
        self._pipe, self._arrived, self._tell_closed = pipe, arrived, closed
        self._cancelled: dict[int, set[str]] = {}  # of the batches that are open
        self._is_closed = False

    def read(self) -> None:
        """Begin to read."""
        Thread(target=self._read, name="inbox", daemon=True).start()

    def unwanted(self, work: Work) -> bool:
        """Whether every job of the batch was cancelled, or nobody is left to answer to."""
        return self._is_closed or self._cancelled[work.batch].issuperset(job.id for job in work.jobs)

    def forget(self, work: Work) -> None:
        """The batch is over: what is cancelled too late is not kept."""
        del self._cancelled[work.batch]

    def _read(self) -> None:
        try:
            while True:
                message, blobs = self._pipe.receive()
                if isinstance(message, Work):
                    self._cancelled[message.batch] = set()
                    self._arrived(message, blobs)
                elif (cancelled := self._cancelled.get(message.batch)) is not None:
                    cancelled.update(message.jobs)
        except PipeBrokenError:
            pass
        finally:  # whatever it was: without this thread the process would hang
            self._is_closed = True
            self._tell_closed()

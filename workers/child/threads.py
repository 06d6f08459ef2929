"""A few threads that are used again and again."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

Task = tuple[Callable[[], None], Callable[[], None]]


class Threads:
    """Started when they are needed; who ended last is used next.

    Each thread that computes keeps a team of others for torch and memory of its own, so few should do, and
    those whose caches are warm. They end with the process at the latest: none keeps it alive.
    """

    def __init__(self, prepare: Callable[[], object]) -> None:
        """`prepare` is what a new thread does first."""
        self._prepare = prepare
        self._lock = Lock()
        self._idle: list[SimpleQueue[Task | None]] = []
        self._closed = False
        self.started = 0

    def run(self, work: Callable[[], None], last: Callable[[], None]) -> None:
        """Do some work in a thread, and then `last`, from which on the thread may be used again.

        What `last` hands in runs in the same thread: nobody has to wait for another to wake up.
        """
        with self._lock:
            box = self._idle.pop() if self._idle else self._start()
        box.put((work, last))

    def close(self) -> None:
        """End the threads, the busy ones when they are done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for box in idle:
            box.put(None)

    def _start(self) -> SimpleQueue[Task | None]:
        box: SimpleQueue[Task | None] = SimpleQueue()
        self.started += 1
        Thread(target=self._live, args=(box,), name=f"batch-{self.started}", daemon=True).start()
        return box

    def _live(self, box: SimpleQueue[Task | None]) -> None:
        self._prepare()
        while (task := box.get()) is not None:
            work, last = task
            del task
            work()
            with self._lock:
                if self._closed:
                    box.put(None)
                else:
                    self._idle.append(box)
            last()
            del work, last  # else what a batch held would live until the next one

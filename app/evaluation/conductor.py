"""Has the cells of an evaluation explained, some at a time, through the queue of a service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event

from app.commands.service import Away, Service
from app.evaluation.book import Book
from app.evaluation.cells import Cell
from app.evaluation.folder import Picture
from app.evaluation.rows import Row, key_of, rows_of
from jobs.errors import Busy, InvalidRequest, JobFailed, Refused
from jobs.job import Lane

MOST_REFUSALS = 2  # of a picture, before it is taken at its word
REFUSED_SECONDS = 5.0
MOST_TRIES = 60  # in a row without an answer, a second apart


class Conductor:
    """Keeps so many explanations of a service in flight, and writes down how each of them ended."""

    def __init__(
        self,
        service: Service,
        book: Book,
        metrics: Sequence[str],
        in_flight: int,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._service, self._book, self._metrics, self._in_flight = service, book, metrics, in_flight
        self._sleep = sleep
        self._stopped = Event()

    def conduct(self, cells: Sequence[Cell[Picture]], advance: Callable[[], object]) -> None:
        """Go through the cells; `advance` is called after each. What is written down stays, come what may.

        Raises `Unavailable` when the service stays away, and InvalidRequest when it refuses for good.
        """
        waiting, running = iter(cells), set[Future[list[Row]]]()
        with ThreadPoolExecutor(self._in_flight) as threads:
            try:
                while True:
                    running |= {
                        threads.submit(self._explain, cell)
                        for cell in _some(waiting, self._in_flight - len(running))
                    }
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._book.add(future.result())
                        advance()
            finally:
                self._stopped.set()
                threads.shutdown(wait=True, cancel_futures=True)

    def _explain(self, cell: Cell[Picture]) -> list[Row]:
        """The rows of a cell. One whose turn never comes again ends without any."""
        files = cell.picture.read()
        fields: dict[str, str | list[str]] = {
            "model": cell.model.id,
            "method": cell.method,
            "metrics": list(self._metrics),
            "lane": Lane.BULK.value,
        }
        tries, refusals = 0, 0
        while True:
            try:
                return rows_of(cell, self._service.explain(files, fields, self._go_on))
            except JobFailed as error:
                return [failed(cell, error)]
            except Refused as error:  # a busy machine may take a good picture for one that reads too slowly
                refusals += 1
                if refusals > MOST_REFUSALS:
                    return [failed(cell, error)]
                self._sleep(REFUSED_SECONDS)
            except Busy as error:
                tries = tries + 1 if isinstance(error, Away) else 0
                if tries > MOST_TRIES:
                    raise
                self._go_on(0.0)
                self._sleep(error.retry_after)

    def _go_on(self, _share: float) -> None:
        if self._stopped.is_set():
            raise InvalidRequest("the evaluation was stopped")


def failed(cell: Cell[Picture], error: JobFailed | Refused) -> Row:
    """Why there is no map."""
    return Row(*key_of(cell), error=f"{error.code}: {error.detail}")


def _some(cells: Iterator[Cell[Picture]], count: int) -> list[Cell[Picture]]:
    return [cell for _, cell in zip(range(count), cells, strict=False)]

"""Cells in flight: never too many, each written down once, through refusals, and stopped when asked to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, cast

import pytest

from app.commands.service import Away, Document, Service
from app.evaluation.book import Book
from app.evaluation.cells import Cell, cells
from app.evaluation.conductor import MOST_REFUSALS, MOST_TRIES, REFUSED_SECONDS, Conductor
from app.evaluation.folder import Picture, pictures_in
from jobs.errors import Damaged, InvalidRequest, NotExplainable, RationaleError, Unavailable
from tests.samples import sample_model

METRICS = ["deletion", "insertion"]


def finished(method: str) -> Document:
    measurements = [
        {"metric": name, "higher_is_better": name == "insertion", "value": 0.5, "random": 0.25, "edges": None}
        for name in METRICS
    ]
    targets = [
        {
            "label": label,
            "score": 0.75,
            "rank": rank,
            "flags": ["border"],
            "findings": [{"code": "coarse", "text": ""}, {"code": "coarse", "text": ""}],
            "measurements": measurements,
        }
        for rank, label in ((1, "nodule"), (2, "none"))
    ]
    return {
        "id": f"of-{method}",
        "state": "done",
        "error": None,
        "timings": {"compute_s": 0.125},
        "trust": {"targets": targets},
    }


class Scripted:
    """A service that answers after a moment, or as the next of its failures says."""

    def __init__(self, *failures: RationaleError) -> None:
        self.failures = list(failures)
        self.calls: list[dict[str, Any]] = []  # Any: fields of requests
        self.most, self._now, self._lock = 0, 0, Lock()
        self.answer: Callable[[str], Document] = finished

    def explain(
        self, files: dict[str, bytes], fields: dict[str, Any], progress: Callable[[float], None]
    ) -> Document:
        with self._lock:
            self.calls.append(fields | {"image": files["image"]})
            self._now += 1
            self.most = max(self.most, self._now)
            failure = self.failures.pop(0) if self.failures else None
        try:
            for _ in range(5):
                time.sleep(0.002)
                progress(0.5)
            if failure:
                raise failure
            return self.answer(fields["method"])
        finally:
            with self._lock:
                self._now -= 1


@pytest.fixture
def plan(tmp_path: Path) -> list[Cell[Picture]]:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(bytes([number]))
    return cells([sample_model()], ["saliency", "grad-cam", "lrp"], pictures_in(tmp_path))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with Book(tmp_path / "results.csv") as opened:
        yield opened


def conductor(service: Scripted, book: Book, in_flight: int = 3, **words: Any) -> Conductor:  # Any: see there
    return Conductor(cast(Service, service), book, METRICS, in_flight, **words)


def test_every_cell_is_asked_for_once_and_written_down(book: Book, plan: list[Cell[Picture]]) -> None:
    service, advanced = Scripted(), list[None]()
    conductor(service, book).conduct(plan, lambda: advanced.append(None))
    assert len(service.calls) == len(advanced) == len(plan)
    assert service.most == 3
    assert book.missing(plan, METRICS) == []
    assert Counter((call["method"], call["image"]) for call in service.calls).most_common(1)[0][1] == 1
    assert all(call["lane"] == "bulk" and call["metrics"] == METRICS for call in service.calls)
    row = book.rows[0]
    assert (row.label, row.score, row.rank, row.seconds) == ("nodule", 0.75, 1, 0.125)
    assert (row.value, row.random, row.edges, row.flags, row.findings) == (
        0.5,
        0.25,
        None,
        "border",
        "coarse",
    )
    assert len(book.rows) == len(plan) * 2 * 2


def test_failures_and_cancelled_ones_are_written_down_with_their_reason(
    book: Book, plan: list[Cell[Picture]]
) -> None:
    service = Scripted()
    error = {"code": "not-explainable", "detail": "no such layer"}
    service.answer = lambda method: (
        finished(method)
        | ({"state": "failed", "error": error} if method == "lrp" else {"state": "cancelled"})
    )
    conductor(service, book).conduct(plan[:3], lambda: None)
    reasons = {row.method: row.error for row in book.rows}
    assert reasons["lrp"] == "not-explainable: no such layer"
    assert reasons["saliency"] == "cancelled"


def test_a_job_that_fails_before_its_post_is_answered_ends_its_cell_alone(
    book: Book, plan: list[Cell[Picture]]
) -> None:
    service = Scripted(NotExplainable("the network has no attention"))
    conductor(service, book, 1).conduct(plan[:3], lambda: None)
    assert [row.error for row in book.rows if row.error] == ["not-explainable: the network has no attention"]
    assert len(service.calls) == 3
    assert book.missing(plan[:3], METRICS) == []


def test_a_picture_that_cannot_be_read_costs_its_cells_and_is_tried_again_before(
    book: Book, plan: list[Cell[Picture]]
) -> None:
    slept: list[float] = []
    slow = Damaged("takes longer than 0.8 s to decode")
    service = Scripted(slow, slow)
    conductor(service, book, 1, sleep=slept.append).conduct(plan[:1], lambda: None)
    assert not [row.error for row in book.rows if row.error]
    service.failures = [slow] * (MOST_REFUSALS + 1)
    conductor(service, book, 1, sleep=slept.append).conduct(plan[1:3], lambda: None)
    assert [row.error for row in book.rows if row.error] == ["damaged: takes longer than 0.8 s to decode"]
    assert slept == [REFUSED_SECONDS] * 2 * MOST_REFUSALS


def test_refusals_are_waited_for_as_long_as_they_say(book: Book, plan: list[Cell[Picture]]) -> None:
    slept: list[float] = []
    service = Scripted(*[Unavailable("full", retry_after=7)] * (MOST_TRIES + 5))
    conductor(service, book, 1, sleep=slept.append).conduct(plan[:2], lambda: None)
    assert slept == [7] * (MOST_TRIES + 5)
    assert book.missing(plan[:2], METRICS) == []


def test_a_service_that_stays_away_ends_it_and_what_was_done_stays(
    book: Book, plan: list[Cell[Picture]]
) -> None:
    service = Scripted()
    conductor(service, book, 1).conduct(plan[:1], lambda: None)
    service.failures = [Away("gone", retry_after=1)] * 1000
    with pytest.raises(Away):
        conductor(service, book, 1, sleep=lambda _: None).conduct(plan[1:], lambda: None)
    assert book.missing(plan, METRICS) == plan[1:]


def test_a_refusal_for_good_ends_it(book: Book, plan: list[Cell[Picture]]) -> None:
    with pytest.raises(InvalidRequest, match="no key"):
        conductor(Scripted(InvalidRequest("no key")), book).conduct(plan, lambda: None)


def test_interrupted_it_asks_no_more_and_goes_on_later(book: Book, plan: list[Cell[Picture]]) -> None:
    service, done = Scripted(), list[None]()

    def advance() -> None:
        done.append(None)
        if len(done) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conductor(service, book).conduct(plan, advance)
    asked = len(service.calls)
    assert asked < len(plan)
    time.sleep(0.05)
    assert len(service.calls) == asked
    missing = book.missing(plan, METRICS)
    conductor(service, book).conduct(missing, lambda: None)
    assert len(service.calls) == asked + len(missing)
    assert book.missing(plan, METRICS) == []

"""What the rows come to, and the page that shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from app.evaluation.page import page
from app.evaluation.rows import Row
from app.evaluation.summary import failed, lines, told
from jobs.catalogue import load_catalogue
from tests.api import model_card

ROW = Row("tiny", "w", "saliency", "0.png", "d", label="nodule", metric="deletion", higher_is_better=False)
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def rows(
    method: str, values: list[float | None], *, metric: str = "deletion", peer: float = 0.5
) -> list[Row]:
    return [
        replace(
            ROW,
            method=method,
            metric=metric,
            higher_is_better=metric == "insertion",
            image=f"{number}.png",
            value=value,
            random=peer,
        )
        for number, value in enumerate(values)
    ]


def test_means_errors_and_shares_are_those_of_the_values() -> None:
    [line] = lines(rows("saliency", [0.2, 0.4, 0.6, None]))
    assert line.mean == pytest.approx(0.4)
    assert line.standard_error == pytest.approx(0.2 / 3**0.5)
    assert line.silent == 1
    assert line.random == 0.5
    assert line.beats_random == pytest.approx(2 / 3)
    assert line.edges is None
    assert line.beats_edges is None


def test_the_best_comes_first_whichever_way_is_better_and_the_silent_last() -> None:
    for metric, order in (("deletion", ["low", "high", "none"]), ("insertion", ["high", "low", "none"])):
        made = [
            row
            for name, value in (("none", None), ("high", 0.9), ("low", 0.1))
            for row in rows(name, [value], metric=metric)
        ]
        assert [line.method for line in lines(made)] == order


def test_all_models_of_a_metric_stand_together() -> None:
    made = [
        replace(row, model=model)
        for model in ("b", "a")
        for metric in ("insertion", "deletion")
        for row in rows("saliency", [0.5], metric=metric)
    ]
    found = [(line.metric, line.model) for line in lines(made)]
    assert found == [("insertion", "b"), ("insertion", "a"), ("deletion", "b"), ("deletion", "a")]


def test_findings_count_maps_and_not_figures() -> None:
    twice = [
        replace(ROW, metric=metric, findings="coarse unfaithful") for metric in ("deletion", "insertion")
    ]
    [one] = told([*twice, replace(ROW, image="1.png", findings="coarse")])
    assert one.maps == 2
    assert one.codes == {"coarse": 2, "unfaithful": 1}


def test_failures_are_counted_by_reason() -> None:
    bad = replace(ROW, metric="", error="not-explainable: no layer")
    [one] = failed([bad, replace(bad, image="1.png"), ROW])
    assert (one.method, one.error, one.images) == ("saliency", "not-explainable: no layer", 2)


class Reader(HTMLParser):
    """Tags with their attributes, and whether all are closed."""

    VOID = frozenset({"meta", "line", "circle", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    many = [*rows("saliency", [0.2, 0.4]), *rows("grad-cam", [0.1]), *rows("lrp", [0.3], metric="insertion")]
    text = page(many, load_catalogue(), [model_card()], made_at=AT)
    reader = Reader()
    reader.feed(text)
    assert not reader.open
    assert "script" not in {tag for tag, _ in reader.seen}
    assert not [
        value for _, attributes in reader.seen for value in attributes.values() if value and "//" in value
    ]
    places = [
        attributes["cx"] or "" for tag, attributes in reader.seen if tag == "circle" and "cx" in attributes
    ]
    percents = [float(place.removesuffix("%")) for place in places if place.endswith("%")]
    assert len(percents) == 4 + 3  # one for each map, one for the random peer of each line
    assert all(0 <= place <= 100 for place in percents)
    assert text.index("grad-cam") < text.index("saliency")
    assert "2026-01-02 03:04" in text


def test_words_of_models_and_files_stay_words() -> None:
    evil = "<img src=x onerror=alert(1)>"
    many = [replace(ROW, value=0.5, method=evil), replace(ROW, metric="", error=evil)]
    card = model_card().model_copy(update={"intended_use": evil})
    text = page(many, load_catalogue(), [card], made_at=AT)
    assert "<img" not in text
    assert "&lt;img" in text


def test_a_page_without_rows_is_a_page() -> None:
    assert "0 images" in page([], load_catalogue(), [model_card()], made_at=AT)

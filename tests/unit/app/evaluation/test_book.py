"""The table on disk: read as it was written, whole after a cut, and what is missing from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.evaluation.book import Book
from app.evaluation.cells import Cell, cells, cheap, chosen, measurable
from app.evaluation.folder import Picture, pictures_in
from app.evaluation.rows import Row, key_of
from jobs.catalogue import load_catalogue
from jobs.errors import InvalidRequest
from tests.samples import sample_model

METRICS = ["deletion", "insertion"]


@pytest.fixture
def plan(tmp_path: Path) -> list[Cell[Picture]]:
    """Two images, one model, two methods."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.png").write_bytes(bytes([number]))
    return cells([sample_model()], ["saliency", "grad-cam"], pictures_in(folder))


def rows(cell: Cell[Picture], *metrics: str, value: float | None = 0.25) -> list[Row]:
    row = Row(*key_of(cell), label='a "label", with\na line', score=0.1 + 0.2, rank=1, seconds=0.5)
    return [
        replace(row, metric=metric, higher_is_better=metric == "insertion", value=value, random=0.1)
        for metric in metrics
    ]


def test_what_was_written_is_read_again(tmp_path: Path, plan: list[Cell[Picture]]) -> None:
    path = tmp_path / "results.csv"
    with Book(path) as book:
        assert book.missing(plan, METRICS) == plan
        book.add(rows(plan[0], *METRICS))
        book.add([Row(*key_of(plan[1]), error="not-explainable: why\nnot")])
        written = book.rows
    with Book(path) as book:
        assert book.missing(plan, METRICS) == plan[2:]
        assert [replace(row, label="", error="") for row in book.rows] == [
            replace(row, label="", error="") for row in written
        ]
        assert book.rows[0].label == 'a "label", with a line'
        assert book.rows[0].score == 0.1 + 0.2
        assert book.rows[2].error == "not-explainable: why not"


def test_a_figure_that_is_missing_makes_its_cell_missing(tmp_path: Path, plan: list[Cell[Picture]]) -> None:
    with Book(tmp_path / "results.csv") as book:
        book.add(rows(plan[0], "deletion"))
        assert book.missing(plan[:1], ["deletion"]) == []
        assert book.missing(plan[:1], METRICS) == plan[:1]
        book.add(rows(plan[0], *METRICS, value=0.5))
        assert [row.value for row in book.rows] == [0.5, 0.5]


def test_a_line_that_was_cut_off_is_dropped_and_its_cell_is_missing(
    tmp_path: Path, plan: list[Cell[Picture]]
) -> None:
    path = tmp_path / "results.csv"
    with Book(path) as book:
        book.add(rows(plan[0], *METRICS))
        book.add(rows(plan[1], *METRICS))
    whole = path.read_bytes()
    for cut in range(1, len(whole.splitlines(keepends=True)[-1])):
        path.write_bytes(whole[:-cut])
        with Book(path) as book:
            assert book.missing(plan[:2], METRICS) == plan[1:2]
            book.add(rows(plan[1], *METRICS))
        with Book(path) as book:
            assert book.missing(plan[:2], METRICS) == []
            assert len(book.rows) == 4


def test_another_picture_under_the_same_name_is_missing(tmp_path: Path, plan: list[Cell[Picture]]) -> None:
    with Book(tmp_path / "results.csv") as book:
        book.add(rows(plan[0], *METRICS))
        plan[0].picture.path.write_bytes(b"another")
        fresh = Cell(plan[0].model, plan[0].method, Picture(plan[0].picture.path, plan[0].picture.name))
        assert book.missing([fresh], METRICS) == [fresh]


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("name,age\nAnn,7\n")
    with pytest.raises(InvalidRequest, match=r"results\.csv"):
        Book(path)
    assert path.read_text() == "name,age\nAnn,7\n"


def test_pictures_are_found_below_the_folder_by_name(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a.png", "notes.txt", "b/1.tiff"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [picture.name for picture in pictures_in(tmp_path)] == ["a.png", "b/1.tiff", "b/2.JPG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest, match=r"\.png"):
        pictures_in(tmp_path / "empty")


def test_masks_are_found_by_the_name_of_the_image_and_count_for_what_is_known(tmp_path: Path) -> None:
    for name in ("images/a/1.jpg", "masks/a/1.png", "masks/other.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(name.encode())
    [plain] = pictures_in(tmp_path / "images")
    [masked] = pictures_in(tmp_path / "images", tmp_path / "masks")
    assert masked.mask == tmp_path / "masks/a/1.png"
    assert masked.read() == {"image": b"images/a/1.jpg", "mask": b"masks/a/1.png"}
    assert masked.digest != plain.digest
    (tmp_path / "images/2.png").write_bytes(b"x")
    with pytest.raises(InvalidRequest, match=r"1 of 2 images, such as .*2\.png"):
        pictures_in(tmp_path / "images", tmp_path / "masks")


def test_cheap_methods_need_an_image_alone() -> None:
    names = cheap(load_catalogue().methods)
    assert {"grad-cam", "saliency", "integrated-gradients"} <= set(names)
    assert not {"rise", "counterfactual-region"} & set(names)


def test_unknown_names_are_told_with_those_that_there_are() -> None:
    assert chosen("--metric", ["b", "a", "b"], ["a", "b"]) == ["b", "a"]
    with pytest.raises(InvalidRequest) as told:
        chosen("--metric", ["c"], ["a", "b"])
    assert told.value.problems[0].field == "--metric"
    assert "a, b" in told.value.problems[0].message


def test_metrics_that_need_parameters_are_refused_with_the_way_to_have_them() -> None:
    cards = load_catalogue().metrics
    assert measurable(["deletion", "sparseness", "deletion"], cards) == ["deletion", "sparseness"]
    for asked, words in (
        (["truth"], "truth is not known"),
        (["model-consensus"], "needs models: `rationale"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            measurable(asked, cards)
        [problem] = caught.value.problems
        assert problem.field == "--metric"
        assert words in problem.message

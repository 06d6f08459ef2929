"""Every method has its picture, and its section in docs/methods.md shows it."""

from __future__ import annotations

import re

import pytest

from benchmarks.methods.truth_table import DOCUMENT
from examples.method_pictures import MAX_BYTES, OUTPUT
from workers.methods import METHODS

AGAIN = "run `python -m examples.method_pictures NAME`"


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_a_small_picture_which_its_section_shows(method: str) -> None:
    picture = OUTPUT / f"{method}.png"

    assert picture.is_file(), AGAIN
    assert picture.stat().st_size <= MAX_BYTES, AGAIN
    assert f"](images/methods/{method}.png)" in section(method)


def test_no_picture_is_left_of_a_method_that_is_gone() -> None:
    assert {path.stem for path in OUTPUT.iterdir()} == set(METHODS)


def section(method: str) -> str:
    """What stands under the heading of a method."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.search(rf"^### `{re.escape(method)}`$(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/methods.md has no section of {method}"
    return found[1]

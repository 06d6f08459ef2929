"""Which rows one backward pass can serve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch import Tensor


def rounds(images: Sequence[int]) -> list[list[int]]:
    """Places of rows, by the image of each, in as few lists as possible with any image at most once."""
    found: list[list[int]] = []
    taken: Counter[int] = Counter()
    for place, image in enumerate(images):
        if taken[image] == len(found):
            found.append([])
        found[taken[image]].append(place)
        taken[image] += 1
    return found


def rows_of(image_of_row: Tensor, images: slice) -> Tensor:
    """(r,): the rows whose image is among some."""
    inside: Tensor = (image_of_row >= images.start) & (image_of_row < images.stop)
    return inside.nonzero().flatten()


def rows_in_rounds(image_of_row: Tensor, images: slice) -> list[Tensor]:
    """The rows of some images in groups, each with any image at most once."""
    rows = rows_of(image_of_row, images)
    return [rows[group] for group in rounds(image_of_row[rows].tolist())]

"""Which rows one backward pass can serve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


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

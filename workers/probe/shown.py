"""Which image each row shows: the distinct images among the rows, and the rows of some of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.probe.rounds import rounds


class Shown:
    """S distinct images among R rows; an image that is asked for with two seeds counts twice.

    `sources` (S,) are their numbers in the pass, `seeds` theirs, `of_row` (R,) which of them a row shows.
    """

    def __init__(self, image_of_row: Sequence[int], seeds: Sequence[int], device: torch.device) -> None:
        keys = list(zip(image_of_row, seeds, strict=True))
        order = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        self.sources = torch.tensor([image for image, _ in order], device=device)
        self.seeds = [seed for _, seed in order]
        self.of_row = torch.tensor([order[key] for key in keys], device=device)

    def rows(self, images: slice) -> Tensor:
        """The rows that show one of these."""
        inside: Tensor = (self.of_row >= images.start) & (self.of_row < images.stop)
        return inside.nonzero().flatten()

    def rows_by_target(self, images: slice) -> list[Tensor]:
        """The rows of some images in groups, each with any image at most once."""
        rows = self.rows(images)
        return [rows[group] for group in rounds(self.of_row[rows].tolist())]

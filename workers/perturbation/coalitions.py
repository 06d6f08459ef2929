"""Random choices of the segments that are shown, in pairs of which the one shows what the other hides."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import model_validator
from torch import Tensor

from workers.perturbation.sampling import Draw, SamplingParams
from workers.perturbation.segment_canvas import SegmentCanvas
from workers.perturbation.segments import SegmentParams
from workers.probe import Probe

ROUND = 80  # samples of a round; even, for they come in pairs

DrawCoalitions = Callable[
    [torch.Generator, int, int], Tensor
]  # (source, pairs, segments) -> (pairs, segments)


class CoalitionParams(SegmentParams, SamplingParams):
    """How the image is cut, and how many coalitions of its segments are shown."""

    @model_validator(mode="after")
    def _enough_for_an_error(self) -> CoalitionParams:
        if self.max_samples < 4 * self.segments + 2:
            raise ValueError("max_samples must be at least 4 * segments + 2, else no error can be told")
        return self


class Coalitions:
    """Coalitions z and 1 - z, z as `draw_coalitions` draws it, out of the segments of each image."""

    def __init__(self, probe: Probe, stage: SegmentCanvas, draw_coalitions: DrawCoalitions) -> None:
        self._stage, self._draw_coalitions = stage, draw_coalitions
        self._generators = probe.generators()

    def least(self, images: Tensor) -> Tensor:
        """A pair."""
        return torch.full_like(images, 2)

    def draw(self, images: Tensor, left: Tensor) -> Draw:
        """`codes` is (n, 2, pairs, P), bool: what is shown; False from an image's last segment on."""
        pairs = min(ROUND, int(left.min())) // 2
        shown = torch.stack([self._pairs(image, pairs) for image in images.tolist()]).to(images.device)
        flat = shown.flatten(1, 2)
        return Draw(
            steps=2 * pairs,
            show=lambda chosen, steps: self._stage.show(images[chosen], flat[chosen][:, steps]),
            codes=shown,
            costs=torch.full_like(images, 2 * pairs),
        )

    def _pairs(self, image: int, pairs: int) -> Tensor:
        """(2, pairs, P)."""
        count = self._stage.segments.counts[image]
        drawn = self._draw_coalitions(self._generators[image], pairs, count)
        shown = torch.zeros(2, pairs, self._stage.segments.most, dtype=torch.bool)
        shown[0, :, :count], shown[1, :, :count] = drawn, ~drawn
        return shown


def of_any_size(source: torch.Generator, pairs: int, segments: int) -> Tensor:
    """Each segment is shown with probability 1/2."""
    return torch.rand(pairs, segments, generator=source) < 0.5


def by_shapley_kernel(source: torch.Generator, pairs: int, segments: int) -> Tensor:
    """As probable as the Shapley kernel (M - 1) / (C(M, k) k (M - k)) is for k of M segments.

    Lundberg, Lee: A Unified Approach to Interpreting Model Predictions, 2017, theorem 2.
    """
    sizes = torch.arange(1, segments, dtype=torch.float64)
    masses = 1 / (sizes * (segments - sizes))  # of all coalitions of a size together
    drawn = torch.multinomial(masses, pairs, replacement=True, generator=source) + 1
    ranks = torch.rand(pairs, segments, generator=source).argsort(dim=1).argsort(dim=1)
    return ranks < drawn[:, None]

"""What class activation maps share: their parameters, sums over channels, and the way to the input's size."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from workers.declare import LayerParams, Relevance
from workers.tensors.resampling import upsample


class CamParams(LayerParams):
    """Which layer is read, and whether evidence against the class is kept."""

    relu: bool = Field(
        True, description="Keep only evidence for the class, as in the paper; false keeps the signed map."
    )


def weigh(weights: Tensor, activations: Tensor) -> Tensor:
    """(R, C) or (R, C, h, w), and (R, C, h, w) -> (R, h, w): the weighted sum over the channels."""
    if weights.dim() == 2:
        weights = weights[:, :, None, None]
    return (weights * activations).sum(dim=1)


def finish(cams: Tensor, *, layer: str, size: tuple[int, int], relu: bool) -> Relevance:
    """Maps (R, h, w) of a layer at the size of the input; with `relu` what speaks against is left out.

    The ReLU comes before the resampling, so that no cell takes from what its neighbour shows.
    """
    negative_only = (cams <= 0).flatten(1).all(dim=1) & (cams < 0).flatten(1).any(dim=1)
    return Relevance(
        maps=upsample(cams.relu() if relu else cams, size),
        native_grid=(cams.shape[1], cams.shape[2]),
        layer=layer,
        negative_only=negative_only,
    )


def one_row_of_each(image_of_row: Tensor, images: int) -> Tensor:
    """(S,): for each image a row that shows it, to compute once what does not depend on the target."""
    rows = torch.arange(len(image_of_row), device=image_of_row.device)
    return image_of_row.new_zeros(images).scatter_(0, image_of_row, rows)

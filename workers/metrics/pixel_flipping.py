"""Pixel flipping: how far the class score falls while the most relevant regions are replaced."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.perturbation.curves import as_words, boundaries, ranks, shown_through
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.probe import Output
from workers.probe.trial import Trial

REGIONS_ACROSS = 28  # 8 pixels of 224 without a rest; Samek's are 9 of 227


class PixelFlippingParams(Params):
    """The regions, how many of them are replaced, in how many steps and by what."""

    size: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Side of a region in pixels, 1 for single pixels; none means a 28th of the image's "
        "shorter side.",
    )
    share: float = Field(
        0.16,
        gt=0,
        le=1,
        description="Share of the regions that are replaced in the end; the default is that of Samek et al.",
    )
    steps: int = Field(20, ge=1, le=1000, description="Steps in which they are replaced.")
    filling: Filling = Field("noise", description=FILLINGS)
    output: Output = Field(
        "probability", description="Whether the fall is that of the raw output or of the probability."
    )


def measure(trial: Trial, params: PixelFlippingParams) -> Measure:
    """AOPC, the mean fall of the score over the steps; -1 to 1 for probabilities, negative if it rises.

    AOPC = 1/(L + 1) * sum over k from 0 to L of  f_t(x_0) - f_t(x_k)
    x_k is the image after step k of L. Regions go by the sum of the map over them, the largest first; equal
    ones by chance, after the seed; those at the right and lower edge may be smaller. Bach et al.: On
    Pixel-Wise Explanations, 2015, doi:10.1371/journal.pone.0130140; Samek et al.: Evaluating the
    Visualization of What a Deep Neural Network Has Learned, 2017, section III, arXiv:1509.06321.
    """
    probe, (height, width) = trial.probe, trial.probe.input_size
    size = params.size or max(1, min(height, width) // REGIONS_ACROSS)
    places = ranks(region_sums(trial.maps, size), trial.generators("pixel-flipping"))
    replaced = max(1, round(params.share * places[0].numel()))
    counts = boundaries(replaced, params.steps, places)

    def masks(rows: slice, steps: Tensor) -> Tensor:
        shown = places[rows].unsqueeze(1) >= counts[steps + 1, None, None]
        return shown.repeat_interleave(size, 2).repeat_interleave(size, 3)[..., :height, :width]

    canvas = Canvas(probe, params.filling)
    flipped = shown_through(trial, canvas, masks, params.steps, output=params.output)
    whole = probe.target_logits if params.output == "logit" else probe.target_probabilities
    curves = torch.cat([whole.unsqueeze(1), flipped], dim=1)
    return Measure((curves[:, :1] - curves).mean(dim=1), as_words(curves))


def region_sums(maps: Tensor, size: int) -> Tensor:
    """(R, h, w), float64: the sum of (R, H, W) over each square of `size` pixels, or what is left of it."""
    padded = F.pad(maps.double(), (0, -maps.shape[2] % size, 0, -maps.shape[1] % size))
    rows, columns = padded.shape[1] // size, padded.shape[2] // size
    return padded.view(-1, rows, size, columns, size).sum(dim=(2, 4))


METRIC = Metric(
    name="pixel-flipping",
    title="Pixel flipping",
    version=1,
    aspect=Aspect.FAITHFULNESS,
    higher_is_better=True,
    cost=20,
    explanations=0,
    scales_with="steps",
    summary="How far the class score falls on average while the most relevant regions become noise (AOPC).",
    weaknesses=(
        "Noise makes images unlike any that the network has seen; it may fall for that reason alone.",
        "Looks at the most relevant regions only, as long as `share` is small.",
        "Small where the network is unsure of the whole image, whatever the map.",
    ),
    reference="Samek et al. 2017, arXiv:1509.06321",
    params=PixelFlippingParams,
    measure=measure,
)

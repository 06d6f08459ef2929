"""Score-CAM: each feature map is worth what the class score gains when only its places are shown."""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Output, Probe
from workers.tensors.activation_maps import CamParams, finish, one_row_of_each, weigh
from workers.tensors.baselines import BASELINES, Baseline, make_baselines
from workers.tensors.resampling import upsample

FLAT = 1e-5  # a feature map whose values differ by less than this share of the largest is constant


class ScoreCamParams(CamParams):
    """Which layer is read, how many of its feature maps are scored, and how."""

    channels: int | None = Field(
        None,
        ge=1,
        le=65536,
        description="Score only so many feature maps of each image, those whose values differ most over the "
        "grid, and leave out the others; none means all of them, as in the paper.",
    )
    baseline: Baseline = Field("zero", description=BASELINES)
    output: Output = Field(
        "logit", description="Whether the gain is measured in the raw output or in the probability."
    )


def explain(probe: Probe, params: ScoreCamParams) -> Relevance:
    """Where the features lie that the network recognises the class by, without gradients.

    H_k = A_k bilinear to the input's size and scaled to [0, 1]
    C_k = f(X o H_k) - f(X_b)                              (definition 3), X_b the baseline
    alpha = softmax over k of C,  L = ReLU(sum over k of alpha_k A_k)                     (algorithm 1)
    X o H_k goes over to the baseline where H_k is zero, which for `zero` is the paper's product. A constant
    A_k cannot be scaled; it shows nothing, so it counts as H_k = 0 and C_k = 0, without a forward of its own.
    Wang et al.: Score-CAM, 2020, arXiv:1910.01279.
    """
    layer = probe.layer(params.layer)
    activations = probe.activations(layer)
    features = activations[one_row_of_each(probe.image_of_row, len(probe.images))]
    spreads = _spreads(features)
    count = min(params.channels or spreads.shape[1], max(1, int((spreads > 0).sum(dim=1).max())))
    scored = spreads.topk(count, dim=1).indices
    gains = _gains(probe, features, scored, params)
    every = gains.new_full(activations.shape[:2], 0.0 if params.channels is None else -torch.inf)
    weights = every.scatter(1, scored[probe.image_of_row], gains).softmax(dim=1)
    relevance = finish(weigh(weights, activations), layer=layer.path, size=probe.input_size, relu=params.relu)
    return replace(relevance, samples=torch.full((len(probe),), count))


def _spreads(features: Tensor) -> Tensor:
    """(S, C): how far the values of a feature map differ over its grid; 0 where it is as good as constant."""
    low, high = features.flatten(2).aminmax(dim=2)
    return torch.where(high - low > FLAT * torch.maximum(low.abs(), high.abs()), high - low, 0)


def _gains(probe: Probe, features: Tensor, scored: Tensor, params: ScoreCamParams) -> Tensor:
    """(R, count): what the score of each row's target gains by the feature maps `scored` (S, count)."""
    baselines = make_baselines(probe, params.baseline)
    whole = probe.images

    def show(images: slice, steps: Tensor) -> Tensor:
        chosen = scored[images][:, steps]
        grids = features[images].take_along_dim(chosen[:, :, None, None], dim=1)
        masks = _masks(grids, probe.input_size).unsqueeze(2)
        return baselines[images, None] + masks * (whole - baselines)[images, None]

    shown = probe.scores(show, scored.shape[1], output=params.output)
    nothing = probe.scores(lambda images, _: baselines[images, None], 1, output=params.output)
    return shown - nothing  # definition 3


def _masks(grids: Tensor, size: tuple[int, int]) -> Tensor:
    """(n, s, h, w) -> (n, s, H, W) from 0 to 1; zero for a grid that is as good as constant."""
    masks = upsample(grids.flatten(0, 1), size).view(*grids.shape[:2], *size)
    low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
    scaled = (masks - low) / torch.where(high > low, high - low, 1)
    return torch.where(_spreads(grids)[:, :, None, None] > 0, scaled, 0)


METHOD = Method(
    name="score-cam",
    title="Score-CAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.SCORES}),
    signed=False,
    class_specific=True,
    cost=514,
    scales_with="channels",
    requires="A layer whose output keeps a grid; any network otherwise, for no gradient is taken.",
    summary="Feature maps weighted by the score of the image seen through each of them; no gradients.",
    weaknesses=(
        "One forward pass for each feature map: dear on wide layers.",
        "A softmax of the gains is nearly uniform where they are small, and then the class matters little.",
        "An image under a mask may be unlike anything that the network has seen.",
    ),
    reference="Wang et al. 2020, arXiv:1910.01279",
    params=ScoreCamParams,
    explain=explain,
)

"""Ablation-CAM: each feature map is worth what the class score loses without it."""

from __future__ import annotations

import torch
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.probe.layers import Layer
from workers.tensors.activation_maps import CamParams, finish, weigh


def explain(probe: Probe, params: CamParams) -> Relevance:
    """Where the features lie that the class score would miss.

    w_k = (S - S_k) / |S|, S_k the score when A_k is zero everywhere (section 3; the paper divides by S)
    L = ReLU(sum over k of w_k A_k), then bilinear to the input's size.
    With the magnitude of S below, a negative score does not turn the map over.
    Where the logits are an affine function of A, S - S_k is the sum of A_k dS/dA_k over the grid, exactly;
    elsewhere what lies above the layer is computed again for each k.
    Desai, Ramaswamy: Ablation-CAM, 2020, IEEE Winter Conference on Applications of Computer Vision.
    """
    layer = probe.layer(params.layer)
    activations = probe.activations(layer)
    if probe.traced.graph().is_affine_above(probe.traced.point(layer)):
        losses = (activations * probe.gradients(layer)).sum(dim=(2, 3))
    else:
        losses = _ablate(probe, layer, activations.shape[1])
    scores = probe.target_logits.abs().clamp_min(torch.finfo(losses.dtype).eps)
    cams = weigh(losses / scores[:, None], activations)
    return finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)


def _ablate(probe: Probe, layer: Layer, channels: int) -> Tensor:
    """(R, C): S - S_k, both from the same way through the head so that their rounding cancels."""

    def remove(values: Tensor, steps: Tensor) -> Tensor:
        copies = values.unsqueeze(1).repeat(1, len(steps), *(1,) * (values.dim() - 1))
        removed = (steps < channels).nonzero().flatten()
        for copy in copies:
            layer.layout.to_maps(copy)[removed, steps[removed]] = 0  # a view of the copy
        return copies

    scores = probe.traced.head_scores(layer, remove, channels + 1)  # the last is the score itself
    return scores[:, -1:] - scores[:, :-1]


METHOD = Method(
    name="ablation-cam",
    title="Ablation-CAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=3,
    requires="A layer whose output keeps a grid, in a network whose forward pass can be traced.",
    summary="Feature maps weighted by what the class score loses when each of them is set to zero.",
    weaknesses=(
        "No finer than the grid of its layer.",
        "Below a head that is not affine it computes the head once for each feature map.",
        "Zero is no neutral value for features that can be negative.",
    ),
    reference="Desai and Ramaswamy 2020, doi:10.1109/WACV45572.2020.9093360",
    params=CamParams,
    explain=explain,
)

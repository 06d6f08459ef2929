"""Grad-CAM++: Grad-CAM with an average over the grid that lets small and repeated objects count."""

from __future__ import annotations

import torch
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.tensors.activation_maps import CamParams, finish, weigh

NEAREST_POLE = 1e-6


def explain(probe: Probe, params: CamParams) -> Relevance:
    """Where the features lie that speak for the class, each place of a feature with a weight of its own.

    w_k = sum over ij of alpha_kij ReLU(dY / dA_kij)                                      (eq. 5)
    alpha_kij = G_kij^2 / (2 G_kij^2 + (sum over ab of A_kab) G_kij^3), G = dS_t / dA    (eq. 19)
    L = ReLU(sum over k of w_k A_k), then bilinear to the input's size.
    Eq. 19 holds for Y = exp(S_t), whose gradient is exp(S_t) G; the factor exp(S_t) is the same for every
    channel and left out. Where G is zero, and where the denominator is, alpha is zero.
    Chattopadhay et al.: Grad-CAM++, 2018, arXiv:1710.11063.
    """
    layer = probe.layer(params.layer)
    activations, gradients = probe.activations(layer), probe.gradients(layer)
    weights = (_alphas(activations, gradients) * gradients.relu()).sum(dim=(2, 3))  # eq. 5
    cams = weigh(weights, activations)
    return finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)


def _alphas(activations: Tensor, gradients: Tensor) -> Tensor:
    """(R, C, h, w): eq. 19 divided by G^2, which is lost in float32 where the gradients are small."""
    denominators = 2 + activations.sum(dim=(2, 3), keepdim=True) * gradients
    usable = (gradients != 0) & (denominators.abs() > NEAREST_POLE)
    return torch.where(usable, 1 / torch.where(usable, denominators, 1), 0)


METHOD = Method(
    name="grad-cam++",
    title="Grad-CAM++",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=3,
    requires="A layer whose output keeps a grid and still matters to the answer; best after a ReLU.",
    summary="Grad-CAM with weights from the positive gradients place by place: several objects light up.",
    weaknesses=(
        "No finer than the grid of its layer.",
        "Gradients against the class are left out, so maps of different classes are much alike.",
        "Its weights have poles where the features of a layer can be negative.",
    ),
    reference="Chattopadhay et al. 2018, arXiv:1710.11063",
    params=CamParams,
    explain=explain,
)

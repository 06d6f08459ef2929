"""Contrastive Grad-CAM: where the features lie that speak for one class rather than another."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from jobs.errors import NotExplainable, Problem
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.tensors.activation_maps import CamParams, finish, weigh


class ContrastiveGradCamParams(CamParams):
    """Which layer is read, and the class against which the explained one is held."""

    against: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="Index of the other class, Q; none means the most probable besides the explained one.",
    )
    loss: Literal["all-classes", "two-classes"] = Field(
        "all-classes",
        description="Whether the loss is the cross-entropy of Q among all classes, as in the paper, or among "
        "Q and the explained class only.",
    )


def explain(probe: Probe, params: ContrastiveGradCamParams) -> Relevance:
    """Why P, rather than Q?

    alpha_k = mean over the grid of dJ(P, Q) / dA_k                                            (eq. 3)
    L = ReLU(sum over k of alpha_k A_k), then bilinear to the input's size
    J(P, Q) = -log p_Q, the loss of an answer that should have been Q; or log(1 + exp(S_P - S_Q)), which
    knows no third class. What makes J grow speaks for P rather than Q.
    Prabhushankar, Kwon, Temel, AlRegib: Contrastive explanations in neural networks, 2020, arXiv:2008.00178.
    """
    layer = probe.layer(params.layer)
    logits = probe.logits[probe.image_of_row]
    others = _others(probe, logits, params.against)
    slopes = _slopes(logits, probe.targets, others, params.loss)
    alphas = probe.pulled(layer, slopes).mean(dim=(2, 3))  # eq. 3
    cams = weigh(alphas, probe.activations(layer))
    found = finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)
    return replace(found, details=tuple({"against": other} for other in others.tolist()))


def _others(probe: Probe, logits: Tensor, against: int | None) -> Tensor:
    """(R,): the class Q of each row."""
    if against is None:
        return logits.scatter(1, probe.targets[:, None], -torch.inf).argmax(dim=1)
    if against >= logits.shape[1]:
        raise _refused(f"there is no class {against}, the model has {logits.shape[1]}")
    if (probe.targets == against).any():
        raise _refused(f"class {against} is the explained one: name another, or none")
    return torch.full_like(probe.targets, against)


def _slopes(logits: Tensor, classes: Tensor, others: Tensor, loss: str) -> Tensor:
    """(R, K): the gradient of the loss at the logits, in float64, for it is a small difference."""
    wide = logits.double()
    if loss == "two-classes":
        gains = wide.gather(1, classes[:, None]) - wide.gather(1, others[:, None])
        slopes = torch.zeros_like(wide).scatter(1, classes[:, None], gains.sigmoid())
    else:
        slopes = wide.softmax(dim=1).scatter(1, others[:, None], 0)
    return slopes.scatter(1, others[:, None], -slopes.sum(dim=1, keepdim=True)).to(logits)


def _refused(message: str) -> NotExplainable:
    return NotExplainable(f"against: {message}", problems=(Problem(field="against", message=message),))


METHOD = Method(
    name="contrastive-grad-cam",
    title="Contrastive Grad-CAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=3,
    requires="A layer whose output keeps a grid and still matters to the answer.",
    summary="Grad-CAM of the loss that an answer for another class would have: why this one and not that.",
    weaknesses=(
        "No finer than the grid of its layer.",
        "What both classes share is left out, however much it matters to either.",
    ),
    reference="Prabhushankar et al. 2020, arXiv:2008.00178",
    params=ContrastiveGradCamParams,
    explain=explain,
)

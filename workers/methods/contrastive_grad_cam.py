"""Contrastive Grad-CAM: why this class rather than that one, on the feature maps of one layer."""

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
    """The class that the explained one is held against."""

    against: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="Index of the class Q in `why P rather than Q`; none means the likeliest other class.",
    )
    among: Literal["all", "pair"] = Field(
        "all",
        description="Whether the contrast loss weighs Q against `all` classes, as in the paper, where P is "
        "what the network answers, or only against P (`pair`), which also suits another P.",
    )


def explain(probe: Probe, params: ContrastiveGradCamParams) -> Relevance:
    """Where the features lie that would have to go if the answer were Q instead of P.

    J(P, Q) = -log softmax(S)_Q, the cross-entropy of the network's answer with class Q       (section 3.2)
    alpha_k = mean over the grid of dJ / dA_k,  L = ReLU(sum over k of alpha_k A_k)            (section 3.3)
    With `pair` the softmax is over P and Q alone.
    Prabhushankar et al.: Contrastive explanations in neural networks, 2020, arXiv:2008.00178.
    """
    layer = probe.layer(params.layer)
    against = opponents(probe, params.against)
    slopes = contrast_slopes(probe, against, pair=params.among == "pair")
    sizes = slopes.abs().amax(dim=1).clamp_min(torch.finfo(slopes.dtype).tiny)  # else half precision ends
    alphas = probe.pulled(layer, slopes / sizes[:, None]).mean(dim=(2, 3)) * sizes[:, None]
    cams = weigh(alphas, probe.activations(layer))
    relevance = finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)
    return replace(relevance, details=tuple({"against": index} for index in against.tolist()))


def opponents(probe: Probe, against: int | None) -> Tensor:
    """(R,): the class Q of each row. Raises NotExplainable naming the field `against`."""
    logits = probe.logits[probe.image_of_row]
    if against is None and logits.shape[1] > 1:
        return logits.scatter(1, probe.targets[:, None], -torch.inf).argmax(dim=1)
    if against is None or against >= logits.shape[1]:
        raise _refused(f"the model has {logits.shape[1]} classes, none of them to be held against")
    if bool((probe.targets == against).any()):
        raise _refused(f"class {against} is the explained one itself and cannot be held against it")
    return torch.full_like(probe.targets, against)


def contrast_slopes(probe: Probe, against: Tensor, *, pair: bool) -> Tensor:
    """(R, K): dJ / dS, the probabilities, less one for Q.

    What Q gets is the sum of the others, so that nothing cancels when Q is nearly certain.
    """
    logits = probe.logits[probe.image_of_row]
    if pair:
        both = torch.stack([probe.targets, against], dim=1)
        rest = torch.ones_like(logits, dtype=torch.bool).scatter(1, both, value=False)
        logits = logits.masked_fill(rest, -torch.inf)
    slopes = logits.softmax(dim=1).scatter(1, against[:, None], 0.0)
    return slopes.scatter(1, against[:, None], -slopes.sum(dim=1, keepdim=True))


def _refused(message: str) -> NotExplainable:
    return NotExplainable(message, problems=(Problem(field="against", message=message),))


METHOD = Method(
    name="contrastive-grad-cam",
    title="Contrastive Grad-CAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=3,
    requires="A layer whose output keeps a grid and still matters to the answer, and a second class.",
    summary="The last feature maps weighted by what tells the class from another one.",
    weaknesses=(
        "No finer than the grid of its layer.",
        "The loss is of the whole answer: the explained class counts as much as it is probable.",
        "Against an improbable class the map is nearly Grad-CAM less a trace of the other class.",
    ),
    reference="Prabhushankar et al. 2020, arXiv:2008.00178",
    params=ContrastiveGradCamParams,
    explain=explain,
)

"""Grad-CAM: the feature maps of one layer, weighted by how much the class score follows each of them."""

from __future__ import annotations

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.tensors.activation_maps import CamParams, finish, weigh


def explain(probe: Probe, params: CamParams) -> Relevance:
    """Where the features lie that speak for the class.

    alpha_k = mean over the grid of dS_t / dA_k           (eq. 1)
    L = ReLU(sum over k of alpha_k A_k)                   (eq. 2), then bilinear to the input's size.
    For token models A is the grid of patch tokens; class tokens are left out.
    Selvaraju et al.: Grad-CAM, 2017, arXiv:1610.02391.
    """
    layer = probe.layer(params.layer)
    alphas = probe.gradients(layer).mean(dim=(2, 3))  # eq. 1
    cams = weigh(alphas, probe.activations(layer))  # eq. 2
    return finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)


METHOD = Method(
    name="grad-cam",
    title="Grad-CAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=3,
    requires="A layer whose output keeps a grid and still matters to the answer.",
    summary="The last feature maps weighted by the gradient of the class score: coarse, cheap, by class.",
    weaknesses=(
        "No finer than the grid of its layer.",
        "The gradient is averaged over the grid, so places that do not matter can light up.",
    ),
    reference="Selvaraju et al. 2017, arXiv:1610.02391",
    params=CamParams,
    explain=explain,
)

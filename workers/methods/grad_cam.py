"""Grad-CAM: the feature maps of one layer, weighted by how much the class score follows each of them."""

from __future__ import annotations

from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import LayerParams, Method, Relevance
from workers.probe import Probe
from workers.tensors.resampling import upsample


class GradCamParams(LayerParams):
    """Which layer is read, and whether evidence against the class is kept."""

    relu: bool = Field(
        True, description="Keep only evidence for the class, as in the paper; false keeps the signed map."
    )


def explain(probe: Probe, params: GradCamParams) -> Relevance:
    """Where the features lie that speak for the class.

    alpha_k = mean over the grid of dS_t / dA_k           (eq. 1)
    L = ReLU(sum over k of alpha_k A_k)                   (eq. 2), then bilinear to the input's size.
    For token models A is the grid of patch tokens; class tokens are left out.
    Selvaraju et al.: Grad-CAM, 2017, arXiv:1610.02391.
    """
    layer = probe.layer(params.layer)
    activations = probe.activations(layer)
    alphas = probe.gradients(layer).mean(dim=(2, 3), keepdim=True)  # eq. 1
    cams = (alphas * activations).sum(dim=1)  # eq. 2
    negative_only = (cams <= 0).flatten(1).all(dim=1) & (cams < 0).flatten(1).any(dim=1)
    if params.relu:
        cams = cams.relu()
    return Relevance(
        maps=upsample(cams, probe.input_size),
        native_grid=(cams.shape[1], cams.shape[2]),
        layer=layer.path,
        negative_only=negative_only,
    )


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
    params=GradCamParams,
    explain=explain,
)

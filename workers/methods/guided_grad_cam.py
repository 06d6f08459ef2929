"""Guided Grad-CAM: guided backpropagation where Grad-CAM sees the class."""

from __future__ import annotations

from dataclasses import replace

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.rules.rectifiers import drawn_back
from workers.tensors.activation_maps import CamParams, finish, weigh


def explain(probe: Probe, params: CamParams) -> Relevance:
    """Which pixels excite the features, in the places that speak for the class.

    L = Grad-CAM (eq. 1 and 2), bilinear to the input's size; R = guided backpropagation, summed over colours
    map = L * R, pixel by pixel                                                       (section 3.2)
    Selvaraju et al.: Grad-CAM, 2017, arXiv:1610.02391.
    """
    layer = probe.layer(params.layer)
    alphas = probe.gradients(layer).mean(dim=(2, 3))  # eq. 1
    cams = weigh(alphas, probe.activations(layer))  # eq. 2
    coarse = finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)
    fine = drawn_back(probe, "guided").sum(dim=1)
    return replace(coarse, maps=coarse.maps * fine)


METHOD = Method(
    name="guided-grad-cam",
    title="Guided Grad-CAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS, Need.PROPAGATION}),
    signed=True,
    class_specific=True,
    cost=5,
    requires="A layer whose output keeps a grid, in a network that bends its values with ReLU alone.",
    summary="Guided backpropagation times Grad-CAM: fine lines, where the class is.",
    weaknesses=(
        "Its fine structure is that of the picture: it hardly changes when weights are random.",
        "Only its coarse factor knows the class.",
    ),
    reference="Selvaraju et al. 2017, arXiv:1610.02391",
    params=CamParams,
    explain=explain,
)

"""HiResCAM: features times gradients place by place, without an average over the grid."""

from __future__ import annotations

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.tensors.activation_maps import CamParams, finish, weigh


def explain(probe: Probe, params: CamParams) -> Relevance:
    """What each place of the layer adds to the class score.

    L = ReLU(sum over k of dS_t/dA_k * A_k, place by place), then bilinear to the input's size.
    Where all above the layer is affine, L before the ReLU sums over its grid to the score less a constant.
    Draelos, Carin: Use HiResCAM instead of Grad-CAM for faithful explanations, 2020, arXiv:2011.08891.
    """
    layer = probe.layer(params.layer)
    cams = weigh(probe.gradients(layer), probe.activations(layer))
    return finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)


METHOD = Method(
    name="hires-cam",
    title="HiResCAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=3,
    requires="A layer whose output keeps a grid and still matters to the answer.",
    summary="Features times gradients, place by place: lights up only what the score was made of.",
    weaknesses=(
        "No finer than the grid of its layer.",
        "Below further non-linear layers the product is no share of the score, and noisy.",
        "Right below a layer norm the products of a place cancel, for the norm undoes every scale.",
    ),
    reference="Draelos and Carin 2020, arXiv:2011.08891",
    params=CamParams,
    explain=explain,
)

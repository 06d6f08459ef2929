"""CAM: the feature maps before a global average, weighted by the linear layer behind it."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from jobs.errors import NotExplainable
from workers.declare import Method, Relevance
from workers.graph import AFFINE
from workers.probe import Probe
from workers.probe.layers import Layer
from workers.tensors.activation_maps import CamParams, finish, weigh

UNEVEN = 1e-3  # gradients that differ by more than this share of the largest are no average


class ClassActivationMapParams(CamParams):
    """Which layer is read, and whether evidence against the class is kept."""

    relu: bool = Field(
        False, description="Keep only evidence for the class; false keeps the signed map, as in the paper."
    )


def explain(probe: Probe, params: ClassActivationMapParams) -> Relevance:
    """What each place adds to a score that is a weighted sum of averages over the grid.

    S_t = sum over k of w_tk mean(A_k) + constant         (eq. 1)
    M = sum over k of w_tk A_k                            (eq. 2), then bilinear to the input's size.
    w_tk is read off the gradient, which is w_tk / (h w) at every place; so the average may be written in any
    way, and may be followed by dropout, batch norm or several linear layers.
    Zhou et al.: Learning Deep Features for Discriminative Localization, 2016, arXiv:1512.04150.
    """
    layer = probe.layer(params.layer)
    _require_affine_head(probe, layer)
    gradients = probe.gradients(layer)
    _require_average(gradients, layer)
    weights = gradients.sum(dim=(2, 3))  # eq. 1
    cams = weigh(weights, probe.activations(layer))  # eq. 2
    return finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)


def _require_affine_head(probe: Probe, layer: Layer) -> None:
    calls = probe.traced.graph().above(probe.traced.point(layer))
    bends = next((call.label for call in calls if call.kind not in AFFINE), None)
    if bends is not None:
        raise _refused(layer, f"here {bends} comes between them")


def _require_average(gradients: Tensor, layer: Layer) -> None:
    low, high = gradients.flatten(2).aminmax(dim=2)
    if (high - low > UNEVEN * gradients.abs().amax((1, 2, 3))[:, None]).any():
        raise _refused(layer, "here the places of the grid have weights of their own")


def _refused(layer: Layer, reason: str) -> NotExplainable:
    message = (
        f"CAM needs a global average and a linear layer right behind {layer.path!r}; {reason}. "
        "Grad-CAM asks for neither"
    )
    return NotExplainable.about("layer", message)


METHOD = Method(
    name="cam",
    title="CAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    signed=True,
    class_specific=True,
    cost=3,
    requires="A global average of the layer's grid with nothing but linear layers behind it.",
    summary="The last feature maps weighted by the linear layer that classifies their averages.",
    weaknesses=(
        "No finer than the grid of its layer.",
        "Only for networks that end in a global average and a linear layer.",
    ),
    reference="Zhou et al. 2016, arXiv:1512.04150",
    params=ClassActivationMapParams,
    explain=explain,
)

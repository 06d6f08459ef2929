"""Eigen-CAM: the first principal component of the feature maps, whatever the class."""

from __future__ import annotations

from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.tensors.activation_maps import CamParams, finish, one_row_of_each
from workers.tensors.components import first_component


class EigenCamParams(CamParams):
    """Which layer is read, whether its features are centred, and whether negative values are kept."""

    relu: bool = Field(False, description="Keep only positive values; the paper keeps all.")
    centre: bool = Field(
        False,
        description="Subtract the mean of each feature over the grid first, so that the component shows "
        "where the features vary most; false takes them as they are, as in the paper.",
    )


def explain(probe: Probe, params: EigenCamParams) -> Relevance:
    """Where the features of a layer are strong together.

    A (h w, C) = U Sigma V^T,  L = A v_1                (section III), then bilinear to the input's size.
    v_1 comes from the smaller Gram matrix. Its sign is open; here the places of strong features come out
    positive. Features that are nowhere negative, as after a ReLU, then give a map that is nowhere negative.
    The map is the same for every target.
    Muhammad, Yeasin: Eigen-CAM, 2020, arXiv:2008.00299.
    """
    layer = probe.layer(params.layer)
    chosen = one_row_of_each(probe.image_of_row, len(probe.images))
    activations = probe.activations(layer)[chosen]
    if params.centre:
        activations = activations - activations.mean(dim=(2, 3), keepdim=True)
    components = first_component(activations.flatten(2).mT)
    cams = components.view(-1, *activations.shape[2:])[probe.image_of_row]
    return finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)


METHOD = Method(
    name="eigen-cam",
    title="Eigen-CAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS}),
    signed=True,
    class_specific=False,
    cost=1,
    requires="A layer whose output keeps a grid.",
    summary="The first principal component of the feature maps: what stands out, without gradients.",
    weaknesses=(
        "The same for every class: it shows what the layer sees, not what the answer rests on.",
        "Where two components are equally strong, the choice between them is arbitrary.",
    ),
    reference="Muhammad and Yeasin 2020, arXiv:2008.00299",
    params=EigenCamParams,
    explain=explain,
)

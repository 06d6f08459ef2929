"""LayerCAM: features weighted place by place with the positive gradients, for fine maps of early layers."""

from __future__ import annotations

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.tensors.activation_maps import CamParams, finish, weigh


def explain(probe: Probe, params: CamParams) -> Relevance:
    """Which places hold features that the score would like more of.

    w_kij = ReLU(dS_t / dA_kij)                                  (eq. 5)
    L = ReLU(sum over k of w_k * A_k, place by place)            (eq. 6 and 7), bilinear to the input's size.
    One layer makes one map; the paper's fusion of several layers is a mean of their maps.
    Jiang et al.: LayerCAM, 2021, IEEE Transactions on Image Processing 30.
    """
    layer = probe.layer(params.layer)
    weights = probe.gradients(layer).relu()  # eq. 5
    cams = weigh(weights, probe.activations(layer))  # eq. 6
    return finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)


METHOD = Method(
    name="layer-cam",
    title="LayerCAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=3,
    requires="A layer whose output keeps a grid and still matters to the answer; best after a ReLU.",
    summary="Features weighted place by place with positive gradients: early layers give fine maps.",
    weaknesses=(
        "Gradients against the class are left out, so evidence that cancels still lights up.",
        "Maps of early layers are fine but follow edges more than the class.",
    ),
    reference="Jiang et al. 2021, doi:10.1109/TIP.2021.3089943",
    params=CamParams,
    explain=explain,
)

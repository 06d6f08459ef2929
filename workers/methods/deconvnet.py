"""DeconvNet: what excites the class, drawn back through the network without what is negative."""

from __future__ import annotations

from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.rules.rectifiers import drawn_back


class DeconvnetParams(Params):
    """Whether the sign is kept."""

    absolute: bool = Field(False, description="Sum magnitudes over the channels instead of signed values.")


def explain(probe: Probe, params: DeconvnetParams) -> Relevance:
    """What in the image the features answer to, drawn back without the rectifiers of the way in.

    R^l = (R^(l+1) > 0) R^(l+1) at every rectifier (section 2.1), the gradient elsewhere.
    Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, 2013, arXiv:1311.2901.
    """
    relevance = drawn_back(probe, "deconvnet")
    maps = (relevance.abs() if params.absolute else relevance).sum(dim=1)
    return Relevance(maps=maps, native_grid=probe.input_size)


METHOD = Method(
    name="deconvnet",
    title="DeconvNet",
    version=1,
    family=Family.BACKWARD_RULE,
    needs=frozenset({Need.PROPAGATION}),
    signed=True,
    class_specific=False,
    cost=2,
    requires="A network that bends its values with ReLU alone; gates may be sigmoids.",
    summary="The class drawn back through the network; every ReLU lets pass what is positive.",
    weaknesses=(
        "Fails the randomisation check: it draws the image's edges even for a network of random weights.",
        "Maps of different classes look alike.",
    ),
    reference="Zeiler and Fergus 2013, arXiv:1311.2901",
    params=DeconvnetParams,
    explain=explain,
)

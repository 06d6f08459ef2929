"""Guided backpropagation: the gradient without whatever is negative at a rectifier."""

from __future__ import annotations

from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.rules.rectifiers import drawn_back


class GuidedBackpropParams(Params):
    """Whether the sign is kept."""

    absolute: bool = Field(False, description="Sum magnitudes over the channels instead of signed values.")


def explain(probe: Probe, params: GuidedBackpropParams) -> Relevance:
    """Which pixels excite the features that excite the class.

    R^l = (f^l > 0) (R^(l+1) > 0) R^(l+1) at every rectifier (section 3.4), the gradient elsewhere.
    Springenberg et al.: Striving for Simplicity, 2014, arXiv:1412.6806.
    """
    relevance = drawn_back(probe, "guided")
    maps = (relevance.abs() if params.absolute else relevance).sum(dim=1)
    return Relevance(maps=maps, native_grid=probe.input_size)


METHOD = Method(
    name="guided-backprop",
    title="Guided backpropagation",
    version=1,
    family=Family.BACKWARD_RULE,
    needs=frozenset({Need.PROPAGATION}),
    signed=True,
    class_specific=False,
    cost=2,
    requires="A network that bends its values with ReLU alone; gates may be sigmoids.",
    summary="The gradient, cut at every ReLU to what is positive: sharp edges of what the features see.",
    weaknesses=(
        "Fails the randomisation check: it draws the image's edges even for a network of random weights.",
        "Maps of different classes look alike.",
    ),
    reference="Springenberg et al. 2014, arXiv:1412.6806",
    params=GuidedBackpropParams,
    explain=explain,
)

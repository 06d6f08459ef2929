"""Input x gradient: the class score taken to be linear, and its terms added up at each pixel."""

from __future__ import annotations

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe


class InputXGradientParams(Params):
    """Nothing can be chosen."""


def explain(probe: Probe, _: InputXGradientParams) -> Relevance:
    """What each pixel adds to the score, if the score were linear.

    M_ij = sum_c I_cij dS_t / dI_cij, the first-order change of S_t when the pixel goes to zero.
    Shrikumar, Greenside, Shcherbina, Kundaje: Not Just a Black Box, 2016, arXiv:1605.01713, section 2.
    """
    return Relevance(maps=(probe.inputs * probe.input_gradients()).sum(dim=1), native_grid=probe.input_size)


METHOD = Method(
    name="input-x-gradient",
    title="Input x gradient",
    version=1,
    family=Family.GRADIENT,
    needs=frozenset({Need.INPUT_GRADIENTS}),
    signed=True,
    class_specific=False,
    cost=2,
    requires="Any network that a gradient can be taken of.",
    summary="The gradient of the class score times the image: each pixel's part in the score, if linear.",
    weaknesses=(
        "Blind to pixels that are zero in the model's units, whatever they mean.",
        "Exact only where the network is linear; noisy as the gradient is.",
    ),
    reference="Shrikumar et al. 2016, arXiv:1605.01713",
    params=InputXGradientParams,
    explain=explain,
)

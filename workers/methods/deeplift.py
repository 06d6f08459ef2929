"""DeepLIFT: what each pixel's difference from a reference adds to the score's difference."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.rules.rescale import rescaled
from workers.rules.reveal_cancel import reveal_cancelled
from workers.tensors.baselines import BASELINES, Baseline, make_baselines, shared_by_all
from workers.tensors.gaps import relative_gaps


class DeepLiftParams(Params):
    """The reference, and the rule for what is not linear."""

    baseline: Baseline = Field("zero", description=BASELINES)
    rule: Literal["rescale", "reveal-cancel"] = Field(
        "rescale",
        description="`rescale` shares out each difference whole; `reveal-cancel` sends what raises a value "
        "and what lowers it separate ways, so that they cannot hide each other.",
    )


def explain(probe: Probe, params: DeepLiftParams) -> Relevance:
    """How much each pixel's difference from the reference x' moved the score.

    M = sum_c m (x - x'),  with multipliers m by the chain rule (eq. 3) from the score back:
    rescale m = dy / dx of every function's chord (section 3.5.2); reveal-cancel (section 3.5.3)
    m+ = dy+ / dx+,  dy+ = (f(x' + dx+) - f(x') + f(x) - f(x' + dx-)) / 2,  and m- likewise.
    The map sums to S_t(x) - S_t(x') (eq. 1, summation to delta); what is missing is the gap.
    Shrikumar et al.: Learning Important Features Through Propagating Activation Differences, 2017,
    arXiv:1704.02685.
    """
    starts = make_baselines(probe, params.baseline)
    multiply = rescaled if params.rule == "rescale" else reveal_cancelled
    multipliers, rises = multiply(probe, shared_by_all(starts))
    maps = (multipliers * (probe.images - starts)[probe.image_of_row]).sum(dim=1)
    gaps = relative_gaps(maps.sum(dim=(1, 2)), rises)
    return Relevance(maps=maps, native_grid=probe.input_size, gaps=gaps)


METHOD = Method(
    name="deeplift",
    title="DeepLIFT",
    version=1,
    family=Family.BACKWARD_RULE,
    needs=frozenset({Need.PROPAGATION}),
    signed=True,
    class_specific=True,
    cost=4,
    requires="A network whose calls are known to the rules; for reveal-cancel, one without attention.",
    summary="What each pixel's difference from a reference adds to the score; the map sums to its rise.",
    weaknesses=(
        "The reference decides: what equals it has no relevance.",
        "Not the same for two networks that compute the same by different layers.",
    ),
    reference="Shrikumar et al. 2017, arXiv:1704.02685",
    params=DeepLiftParams,
    explain=explain,
)

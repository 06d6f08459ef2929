"""Layer-wise relevance propagation: the score handed back call by call, each by a rule of its own."""

from __future__ import annotations

from pydantic import Field

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.probe import Probe
from workers.rules.composites import Name, composite
from workers.rules.shares import share_out
from workers.tensors.baselines import black_and_white


class LrpParams(Params):
    """Which rule stands at which layer, and how strong the rules are."""

    composite: Name = Field(
        "epsilon-plus",
        description="Rules for dense layers, convolutions and the first layer; one name is for all of them.",
    )
    epsilon: float = Field(
        1e-6,
        ge=0,
        le=10,
        description="What the epsilon rule adds to its denominators; it absorbs what is small.",
    )
    gamma: float = Field(0.25, ge=0, le=100, description="How much the gamma rule prefers what agrees.")


def explain(probe: Probe, params: LrpParams) -> Relevance:
    """What each pixel contributed to the score, where every layer hands on what it got.

    R starts as S_t and goes down by R_i = sum_j c_ij / sum_i' c_i'j R_j with contributions c by layer; the
    formulas stand at the rules. It sums to S_t but for what biases and epsilon took, reported as the gap.
    Bach et al.: On Pixel-Wise Explanations, 2015, doi:10.1371/journal.pone.0130140. Composites: Montavon et
    al.: Layer-Wise Relevance Propagation, an Overview, 2019. Attention: Ali et al. 2022, arXiv:2202.07304.
    """
    rules = composite(params.composite, epsilon=params.epsilon, gamma=params.gamma)
    witnesses = black_and_white(probe) if rules.needs_a_box else ()
    return share_out(probe, rules, witnesses)


METHOD = Method(
    name="lrp",
    title="Layer-wise relevance propagation",
    version=1,
    family=Family.BACKWARD_RULE,
    needs=frozenset({Need.PROPAGATION}),
    signed=True,
    class_specific=True,
    cost=4,
    requires="A network whose calls have rules: no products of features but gates and attention.",
    summary="The score handed back layer by layer in proportion to what each input contributed.",
    weaknesses=(
        "Where only positive contributions count, maps of different classes look alike.",
        "Biases and epsilon keep some of the relevance; the gap says how much.",
        "Through attention and layer norm the weights and the deviation are taken for constants.",
    ),
    reference="Bach et al. 2015, doi:10.1371/journal.pone.0130140",
    params=LrpParams,
    explain=explain,
)

"""The kind `causal-fidelity`: the accuracy without the critical nodes of a graph, and without random ones."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from app.analyses.causal.fidelity import Fidelity, fidelity_masks, fidelity_steps
from app.analyses.causal.subjects import RISING, CausalPlan, OfGraph, Seed, used_plan
from app.analyses.causal.using import use_of
from app.analyses.kind import Inquiry, Kind
from app.analyses.work import Work
from app.requests import Fields
from app.schemas import MAX_SEED, at_most
from jobs.causal import Paths

MOST_TOPS, MOST_TOP, MOST_DRAWS = 32, 1_000_000, 20
Top = Annotated[int, Strict(), Field(ge=0, le=MOST_TOP)]


class FidelityParams(OfGraph):
    """How many nodes are masked, and how often as many random ones are drawn."""

    top: Annotated[tuple[Top, ...], at_most(MOST_TOPS), RISING] = Field(
        (0, 1, 2, 4, 8, 16, 32),
        min_length=1,
        max_length=MOST_TOPS,
        description="How many necessary nodes of each layer are masked, those with the largest effects.",
    )
    draws: Annotated[int, Strict()] = Field(
        5, ge=1, le=MOST_DRAWS, description="How often as many random nodes of each layer are drawn."
    )
    seed: Seed = Field(0, ge=0, le=MAX_SEED, description="Seed of the draws.")


async def _plan(fields: Fields, inquiry: Inquiry) -> CausalPlan | None:
    return await used_plan(fields, inquiry, FidelityParams)


async def _work(work: Work) -> None:
    params = FidelityParams.model_validate(work.analysis.params["params"])
    use = await use_of(work, params.graph)
    masks = fidelity_masks(use.graph, params.top, draws=params.draws, seed=params.seed)
    found = await use.masked(masks, Paths.ALL, parts=2)
    predicted = [each.predicted for each in found]
    fidelity = Fidelity(
        model=use.plan.model,
        target=use.graph.target,
        label=use.graph.label,
        graph=params.graph,
        images=len(use.labels),
        of_class=use.n_of_class,
        draws=params.draws,
        steps=fidelity_steps(params.top, masks, predicted, use.labels, use.graph.target),
    )
    await work.finish(fidelity.model_dump_json().encode())


CAUSAL_FIDELITY = Kind(
    name="causal-fidelity",
    title="Fidelity of a causal graph",
    summary="How the accuracy falls while more and more of the nodes that are necessary for a class are "
    "masked, beside as many random nodes of the same layers.",
    reference="Causal Analysis for Robust Interpretability of Neural Networks, section 5.3",
    params=FidelityParams,
    result=Fidelity,
    plan=_plan,
    work=_work,
)

"""The kind `causal-repair`: the accuracy without more and more of the distracting paths of a graph."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from app.analyses.causal.accuracy import accuracy
from app.analyses.causal.masks import n_nodes, repairing
from app.analyses.causal.repair import Repair, RepairStep, best_share
from app.analyses.causal.subjects import RISING, CausalPlan, OfGraph, used_plan
from app.analyses.causal.using import use_of
from app.analyses.kind import Inquiry, Kind
from app.analyses.work import Work
from app.requests import Fields
from app.schemas import at_most
from jobs.causal import Paths

MOST_SHARES = 101
Share = Annotated[float, Strict(), Field(ge=0, le=1)]


class RepairParams(OfGraph):
    """How much is masked."""

    shares: Annotated[tuple[Share, ...], at_most(MOST_SHARES), RISING] = Field(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        min_length=1,
        max_length=MOST_SHARES,
        description="Shares of the distracting nodes that lose their paths, those with the largest effects.",
    )


async def _plan(fields: Fields, inquiry: Inquiry) -> CausalPlan | None:
    return await used_plan(fields, inquiry, RepairParams)


async def _work(work: Work) -> None:
    params = RepairParams.model_validate(work.analysis.params["params"])
    use = await use_of(work, params.graph)
    skeleton = await use.surveyor.skeleton(lambda _: None)
    masks = [repairing(use.graph, skeleton, share) for share in params.shares]
    found = await use.masked(masks, Paths.WEIGHTS, parts=3)
    steps = tuple(
        RepairStep(
            share=share,
            nodes=n_nodes(mask),
            accuracy=accuracy(each.predicted, use.labels, use.graph.target),
            weights=each.weights,
        )
        for share, mask, each in zip(params.shares, masks, found, strict=True)
    )
    repair = Repair(
        model=use.plan.model,
        target=use.graph.target,
        label=use.graph.label,
        graph=params.graph,
        images=len(use.labels),
        of_class=use.n_of_class,
        steps=steps,
        best=best_share(steps),
    )
    await work.finish(repair.model_dump_json().encode())


CAUSAL_REPAIR = Kind(
    name="causal-repair",
    title="Repair by a causal graph",
    summary="What becomes of the accuracy while the paths from distracting nodes to necessary ones are "
    "blocked, and which weights those are.",
    reference="Causal Analysis for Robust Interpretability of Neural Networks, section 6",
    params=RepairParams,
    result=Repair,
    plan=_plan,
    work=_work,
)

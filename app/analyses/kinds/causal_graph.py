"""The kind `causal-graph`: which nodes of each layer decide a class, found from the class down."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from app.analyses.causal.drawing import drawn
from app.analyses.causal.graphml import graphml
from app.analyses.causal.growing import below_classes, grown, whole
from app.analyses.causal.subjects import GRAPH_KIND, CausalPlan, Testing, tested_plan
from app.analyses.kind import Form, Inquiry, Kind
from app.analyses.surveys import Surveyor
from app.analyses.work import Work, patiently
from app.requests import Fields
from jobs.causal import CausalGraph, Intervention, Treatment


class GraphParams(Testing):
    """How the nodes of a graph are tested."""

    intervention: Intervention = Field(
        Intervention.REMOVE,
        description="What is done to the weights on the paths out of a node: `remove`, or `attenuate` by a "
        "random factor.",
    )
    highest: Annotated[float, Strict()] = Field(
        0.5, gt=0, lt=1, description="The factors of `attenuate` are uniform between 0 and this."
    )

    @property
    def treatment(self) -> Treatment:
        """In the words of the workers."""
        return Treatment(
            intervention=self.intervention,
            highest=self.highest,
            level=self.level,
            correction=self.correction,
            seed=self.seed,
        )


async def _plan(fields: Fields, inquiry: Inquiry) -> CausalPlan | None:
    return tested_plan(fields, inquiry, GraphParams)


async def _work(work: Work) -> None:
    plan = CausalPlan.model_validate(work.analysis.params)
    params = GraphParams.model_validate(plan.params)
    pictures = plan.tested(work.image_set, params.images)
    surveyor = Surveyor(work, plan.model, tuple(picture.image for picture in pictures))
    skeleton = await surveyor.skeleton(lambda found: 2 + len(below_classes(found)))
    found = await grown(surveyor, skeleton, plan.target, params.treatment)
    graph = whole(found, surveyor, plan.target, plan.label, params.treatment)
    await patiently(lambda: work.tools.graphs.keep(work.analysis.tenant, graph))
    await work.finish(graph.model_dump_json().encode())


CAUSAL_GRAPH = Kind(
    name=GRAPH_KIND,
    title="Causal graph",
    summary="Which channels and units of each layer a class depends on: the paths out of each are blocked, "
    "and what that does to the output of the class is tested against all others of the layer.",
    reference="Causal Analysis for Robust Interpretability of Neural Networks, sections 3 and 4",
    params=GraphParams,
    result=CausalGraph,
    plan=_plan,
    work=_work,
    forms={
        "graphml": Form(
            "application/graphml+xml", lambda content: graphml(CausalGraph.model_validate_json(content))
        ),
        "png": Form("image/png", lambda content: drawn(CausalGraph.model_validate_json(content))),
    },
)

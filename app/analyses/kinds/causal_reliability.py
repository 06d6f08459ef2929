"""The kind `causal-reliability`: graphs of a class by ever weaker interventions, and where they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, Strict

from app.analyses.causal.growing import below_classes, grown
from app.analyses.causal.reliability import (
    Reliability,
    Run,
    counts_of,
    histogram,
    jaccard,
    necessary,
    rates_of,
    treatments,
    weaker,
)
from app.analyses.causal.subjects import CausalPlan, Testing, tested_plan
from app.analyses.kind import Inquiry, Kind
from app.analyses.surveys import Surveyor
from app.analyses.work import Work, for_each
from app.requests import Fields
from jobs.causal import Layer, Skeleton, Treatment

MOST_RUNS = 100
AT_ONCE = 4  # graphs that grow side by side


class ReliabilityParams(Testing):
    """How many graphs are grown, and how far the interventions weaken."""

    runs: Annotated[int, Strict()] = Field(
        20, ge=2, le=MOST_RUNS, description="Graphs by attenuation; beside them there is one by removal."
    )
    lowest_range: Annotated[float, Strict()] = Field(
        0.1, gt=0, lt=1, description="In the first run factors are uniform between 0 and this."
    )
    highest_range: Annotated[float, Strict()] = Field(
        0.9, gt=0, lt=1, description="In the last run factors are uniform between 0 and this."
    )

    @property
    def ranges(self) -> list[float]:
        """Those of all runs."""
        return weaker(self.runs, self.lowest_range, self.highest_range)

    @property
    def removal(self) -> Treatment:
        """The test that all runs are compared with."""
        return Treatment(level=self.level, correction=self.correction, seed=self.seed)


@dataclass
class Graphs:
    """The layers of all graphs that have grown, by run; that by removal is called `remove`."""

    surveyor: Surveyor
    skeleton: Skeleton
    target: int
    layers: dict[str, list[Layer]]

    async def grow(self, run: tuple[str, Treatment]) -> None:
        """One more of them."""
        name, treatment = run
        found = await grown(self.surveyor, self.skeleton, self.target, treatment, f"{name}/")
        self.layers[name] = [each.layer for each in found]


async def _plan(fields: Fields, inquiry: Inquiry) -> CausalPlan | None:
    lowest, highest = (
        fields.get(name, default) for name, default in (("lowest_range", 0.1), ("highest_range", 0.9))
    )
    if lowest > highest:
        inquiry.wrong("params.lowest_range", f"must not be above highest_range, which is {highest:g}")
    return tested_plan(fields, inquiry, ReliabilityParams)


async def _work(work: Work) -> None:
    plan = CausalPlan.model_validate(work.analysis.params)
    params = ReliabilityParams.model_validate(plan.params)
    pictures = plan.tested(work.image_set, params.images)
    surveyor = Surveyor(work, plan.model, tuple(picture.image for picture in pictures))
    skeleton = await surveyor.skeleton(lambda found: 2 + (params.runs + 1) * len(below_classes(found)))
    attenuations = treatments(params.ranges, params.removal)
    runs = {"remove": params.removal} | {str(run): each for run, each in enumerate(attenuations)}
    graphs = Graphs(surveyor, skeleton, plan.target, {})
    await for_each(runs.items(), graphs.grow, AT_ONCE)
    layers = [graphs.layers[name] for name in runs]
    await work.finish(_reliability(plan, params, len(pictures), layers).model_dump_json().encode())


def _reliability(
    plan: CausalPlan, params: ReliabilityParams, images: int, layers: list[list[Layer]]
) -> Reliability:
    """Of the graph by removal and those of all runs after it."""
    removed, counts = necessary(layers[0]), counts_of(layers[1:])
    found = [necessary(each) for each in layers[1:]]
    return Reliability(
        model=plan.model,
        target=plan.target,
        label=plan.label,
        images=images,
        runs=tuple(
            Run(highest=highest, necessary=len(places), agreement=jaccard(places, removed))
            for highest, places in zip(params.ranges, found, strict=True)
        ),
        layers=rates_of(layers[1:], removed),
        histogram=histogram(counts, params.runs),
        always=counts.count(params.runs) / len(counts) if counts else None,
    )


CAUSAL_RELIABILITY = Kind(
    name="causal-reliability",
    title="Reliability of a causal graph",
    summary="How often each node is found to be necessary for a class while the interventions grow weaker, "
    "and how far that agrees with removing its paths.",
    reference="Causal Analysis for Robust Interpretability of Neural Networks, section 5.1",
    params=ReliabilityParams,
    result=Reliability,
    plan=_plan,
    work=_work,
)

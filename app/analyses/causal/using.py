"""Puts a causal graph to use on the labelled pictures of a set: what is predicted behind masks made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.analyses.causal.masks import once_each
from app.analyses.causal.subjects import CausalPlan
from app.analyses.surveys import FoundMask, Mask, Surveyor
from app.analyses.work import RESULT, Work, patiently
from jobs.causal import CausalGraph, Paths
from jobs.errors import NotExplainable

GRAPH = "graph"  # the part that is a copy of it


@dataclass(frozen=True)
class Use:
    """A graph, and who is asked about the labelled pictures."""

    plan: CausalPlan
    graph: CausalGraph
    surveyor: Surveyor
    labels: tuple[int, ...]

    @property
    def n_of_class(self) -> int:
        """How many of the pictures are of the class."""
        return self.labels.count(self.graph.target)

    async def masked(self, masks: Sequence[Mask], paths: Paths, parts: int) -> list[FoundMask]:
        """What is predicted behind each mask; equal ones are asked for once.

        There are `parts` beside those of the masks, of which the copy of the graph is one.
        """
        differing, places = once_each(masks)
        content = self.graph.model_dump_json().encode()
        await self.surveyor.work.note(GRAPH, content, parts=parts + len(differing))
        found = await self.surveyor.masked(differing, paths)
        return [found[place] for place in places]


async def use_of(work: Work, graph_id: str) -> Use:
    """A graph put to use; once its copy is kept it may be erased.

    Raises `NotExplainable` when it was erased before.
    """
    plan = CausalPlan.model_validate(work.analysis.params)
    content = await work.part(GRAPH)
    if content is None:
        [content] = await patiently(lambda: work.tools.analyses.parts(graph_id, [RESULT]))
    if content is None:
        raise NotExplainable.about("params.graph", "The graph was erased before it was put to use.")
    pictures = plan.labelled(work.image_set)
    return Use(
        plan=plan,
        graph=CausalGraph.model_validate_json(content),
        surveyor=Surveyor(work, plan.model, tuple(picture.image for picture in pictures)),
        labels=tuple(plan.classes[picture.label or ""] for picture in pictures),
    )

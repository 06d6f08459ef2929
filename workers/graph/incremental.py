"""The logits of images with a window changed, of which only what the window can reach is computed again."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from workers.graph.graph import IMAGE
from workers.graph.planning import Input, Plan, Step
from workers.graph.regions import NO_BORDER, Border, Chosen, Plane, Region, paste
from workers.graph.walk import last_reads, walk


class Incremental:
    """A graph that has met some images (b, C, H, W), and answers for windows of them by a plan.

    `logits` (b, K) are the answers for the images as they are.
    """

    def __init__(self, plan: Plan, images: Tensor) -> None:
        self._plan = plan
        met = walk(plan.graph, images, keep=plan.kept)
        self._met = {name: images if name == IMAGE else met[name] for name in plan.kept}
        self._planes: dict[tuple[str, Border, float], Plane] = {}
        self._calls = tuple(step.local.call for step in plan.steps.values())
        self.logits: Tensor = met[plan.graph.answer]

    def answers(self, pixels: Tensor, chosen: Chosen) -> Tensor:
        """(n, K): the logits where the image's region of each chosen window holds `pixels` (n, C, h, w)."""
        plan, patches = self._plan, {IMAGE: pixels}
        for call, done_with in zip(self._calls, last_reads(self._calls), strict=True):
            patches[call.name] = self._take(plan.steps[call.name], patches, chosen)
            for name in patches.keys() & set(done_with) - plan.frontier.keys():
                del patches[name]
        given = plan.blanks(len(pixels), pixels)
        for name, region in plan.frontier.items():
            given[name] = self._restored(name, region, patches.pop(name), chosen)
        logits: Tensor = walk(plan.graph, None, calls=plan.rest, given=given)[plan.graph.answer]
        return logits

    def _take(self, step: Step, patches: Mapping[str, Tensor], chosen: Chosen) -> Tensor:
        return step.local.compute(*(self._shown(step, one, patches[one.name], chosen) for one in step.inputs))

    def _shown(self, step: Step, known: Input, patches: Tensor, chosen: Chosen) -> Tensor:
        """What a step sees of an input: the patches that are known of it, and what stands around them."""
        if not known.is_cut:
            return patches
        around = self._plane(known.name, step.border, step.local.filling).cut(step.seen, chosen)
        tops, lefts = known.region.corners(chosen)
        above, left = step.seen.corners(chosen)
        paste(patches, tops - above, lefts - left, around, fits=known.fits)
        return around

    def _restored(self, name: str, region: Region, patches: Tensor, chosen: Chosen) -> Tensor:
        """The whole value of which patches are known."""
        whole = self._plane(name).copies(chosen.images)
        paste(patches, *region.corners(chosen), whole, fits=True)
        return whole

    def _plane(self, name: str, border: Border = NO_BORDER, filling: float = 0.0) -> Plane:
        key = (name, border, filling if border != NO_BORDER else 0.0)
        if key not in self._planes:
            self._planes[key] = Plane(self._met[name], border, filling)
        return self._planes[key]

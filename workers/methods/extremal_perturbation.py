"""Extremal perturbation: the region of a given area that keeps the class score highest."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.perturbation.mask_descent import Descended, descend, unit
from workers.perturbation.sampling import Output
from workers.perturbation.smooth_masks import SmoothMasks
from workers.probe import Probe

EXPONENT = 10.0  # of the power mean that stands for the maximum
RATE = 0.25  # what a node changes by in the first step
FORCE = 4.0  # of the area's pull in the end, as a multiple of the score's
SOFT = 0.2  # share of the area over which the sorted template falls from 1 to 0
RAMP = 0.1  # width in values of the mask over which a returned mask goes from 0 to 1

Area = Annotated[float, Field(ge=0.005, le=0.9)]


class ExtremalPerturbationParams(Params):
    """Areas, what is done to the rest, and how long is searched."""

    areas: tuple[Area, ...] = Field(
        (0.05, 0.1, 0.2),
        min_length=1,
        max_length=8,
        description="Shares of the image; each gets a mask of its own, and the map is their mean.",
    )
    variant: Literal["preserve", "delete"] = Field(
        "preserve",
        description="Whether the region must be kept for a high score, or must go for a low one.",
    )
    cells: int = Field(12, ge=2, le=64, description="Nodes of a mask along the shorter side of the image.")
    baseline: Filling = Field("blur", description=FILLINGS)
    output: Output = Field("logit", description="Whether the score is the raw output or the probability.")
    steps: int = Field(
        50, ge=2, le=1000, description="Steps of the search: a forward and a backward pass each."
    )


class Regions:
    """Masks for each row and area in turn, drawn to their areas by a sorted template."""

    def __init__(self, probe: Probe, params: ExtremalPerturbationParams) -> None:
        self.count = count = len(params.areas)
        self.rows = torch.arange(len(probe), device=probe.image_of_row.device).repeat_interleave(count)
        self.areas = torch.tensor(params.areas).to(probe.images).repeat(len(probe))
        self._masks = SmoothMasks(probe.images, cells=params.cells, exponent=EXPONENT)
        self.grid = self._masks.grid
        self._canvas, self._params = Canvas(probe, params.baseline), params
        self._images, self._targets = probe.image_of_row[self.rows], probe.targets
        self._templates = torch.stack([_template(area, self._masks.size) for area in params.areas]).to(
            probe.images
        )

    def shown(self, nodes: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The penalty is |vecsort(m) - r_a|^2 over the pixels of the image (eq. 3), as their mean."""
        painted = self._masks.paint(nodes)
        sorted_values = painted.flatten(1).sort(dim=1, descending=True, stable=True).values
        templates = self._templates[masks % len(self._templates)]
        return self._seen(painted, masks), (sorted_values - templates).square().mean(dim=1)

    def objective(self, logits: Tensor, rows: Tensor) -> Tensor:
        """To be small (eq. 2); the logarithm of a probability has its slope but for the size."""
        scores = logits.log_softmax(dim=1) if self._params.output == "probability" else logits
        kept = scores[torch.arange(len(rows), device=rows.device), self._targets[rows]]
        return -kept if self._params.variant == "preserve" else kept

    def slope(self, objective: Tensor, penalty: Tensor, done: float, /) -> Tensor:
        """The score pulls with size one, the area ever more (eq. 4)."""
        return unit(objective) + FORCE * done * penalty * (penalty.shape[1] * penalty.shape[2])

    def regions(self, nodes: Tensor) -> Tensor:
        """(n, H, W): the masks, all but binary, each of exactly its area."""
        return at_area(self._masks.paint(nodes), self.areas)

    def scores(self, probe: Probe, regions: Tensor) -> Tensor:
        """(n,): what the rows' targets get where only the regions are shown, or where they are hidden."""
        inputs = self._seen(regions, torch.arange(len(regions), device=regions.device))
        logits = probe.answers(inputs)
        answers = logits.softmax(dim=1) if self._params.output == "probability" else logits
        return answers[torch.arange(len(regions), device=regions.device), self._targets[self.rows]]

    def _seen(self, painted: Tensor, masks: Tensor) -> Tensor:
        kept = painted if self._params.variant == "preserve" else 1 - painted
        return self._canvas.show(self._images[masks], kept.unsqueeze(1)).squeeze(1)


def explain(probe: Probe, params: ExtremalPerturbationParams) -> Relevance:
    """Where the smallest parts lie that are enough for the class, or without which it goes.

    m_a = argmax_m S_t(m o x + (1 - m) o b) - lambda |vecsort(m) - r_a|^2                     (eq. 2 to 4)
    over masks that are smooth by a max-convolution (section 3.2), of which the power mean of the nodes around
    a pixel stands here; r_a is 1 on the share a of the sorted pixels and 0 on the rest. The returned masks
    are shifted and steepened until their mean is a; the map is their mean over the areas.
    Fong, Patrick, Vedaldi: Understanding deep networks via extremal perturbations and smooth masks, 2019,
    arXiv:1910.08485.
    """
    surface = Regions(probe, params)

    def draft(found: Descended) -> Relevance:
        return _relevance(surface, surface.regions(found.nodes), found, None)

    found = descend(probe, surface, steps=params.steps, rate=RATE, tolerance=None, draft=draft)
    regions = surface.regions(found.nodes)
    scores = surface.scores(probe.part(params.steps / (params.steps + 1), 1.0), regions)
    return _relevance(surface, regions, found, scores)


def at_area(masks: Tensor, areas: Tensor) -> Tensor:
    """(n, H, W): masks cut at a level, `RAMP` wide, that makes their means `areas` (n,)."""
    low, high = masks.amin((1, 2)) - RAMP, masks.amax((1, 2)) + RAMP
    for _ in range(40):
        level = (low + high) / 2
        above = _cut(masks, level).mean((1, 2)) > areas
        low, high = torch.where(above, level, low), torch.where(above, high, level)
    return _cut(masks, (low + high) / 2)


def _cut(masks: Tensor, levels: Tensor) -> Tensor:
    return ((masks - levels[:, None, None]) / RAMP + 0.5).clamp(0, 1)


def _template(area: float, size: tuple[int, int]) -> Tensor:
    """(H W,): sorted values of a mask of this area; the fall is a little soft, so that equals may swap."""
    pixels = size[0] * size[1]
    width = max(1.0, SOFT * min(area, 1 - area) * pixels)
    ranks = torch.arange(pixels, dtype=torch.float64) + 0.5
    return ((area * pixels - ranks) / width + 0.5).clamp(0, 1)


def _relevance(surface: Regions, regions: Tensor, found: Descended, scores: Tensor | None) -> Relevance:
    count = surface.count
    measured = regions.mean((1, 2))
    details = None
    if scores is not None:
        listed = (surface.areas, measured, scores)
        asked, areas, values = (one.view(-1, count).tolist() for one in listed)
        details = tuple(
            {"asked_areas": ask, "areas": area, "scores": value}
            for ask, area, value in zip(asked, areas, values, strict=True)
        )
    return Relevance(
        maps=regions.unflatten(0, (-1, count)).mean(dim=1),
        native_grid=surface.grid,
        samples=found.steps[::count],
        stops=found.stops[::count],
        details=details,
    )


METHOD = Method(
    name="extremal-perturbation",
    title="Extremal perturbation",
    version=1,
    family=Family.OPTIMISED_MASK,
    needs=frozenset({Need.SCORES}),
    signed=False,
    class_specific=True,
    cost=300,
    scales_with="steps",
    requires="Any network that a gradient can be taken of.",
    summary="The regions of given areas that keep the class score highest while all else is blurred.",
    weaknesses=(
        "A search that may end in a region that is good but not the best.",
        "A region has the area that was asked for, whether the object is larger or smaller.",
        "What a network answers to a blurred image may say little about its answer to a sharp one.",
    ),
    reference="Fong, Patrick and Vedaldi 2019, arXiv:1910.08485",
    params=ExtremalPerturbationParams,
    explain=explain,
)

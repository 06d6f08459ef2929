"""Extremal perturbation: the region of a given area that keeps the class score highest."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from jobs.catalogue import Family, Need
from jobs.result import PartKind
from workers.declare import Method, Params, Part, Relevance
from workers.perturbation.areas import at_area, sorted_targets
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.perturbation.mask_descent import Descended, descend, unit
from workers.perturbation.sampling import Output
from workers.perturbation.smooth_masks import SmoothMasks
from workers.probe import Probe
from workers.tensors.baselines import blur

EXPONENT = 10.0  # of the power mean that stands for the maximum
RATE = 0.25  # what a node changes by in the first step
FORCE = 4.0  # of the area's pull in the end, as a multiple of the score's

Area = Annotated[float, Field(ge=0.005, le=0.9)]


class ExtremalPerturbationParams(Params):
    """Areas, what is done to the rest, and how long is searched."""

    areas: tuple[Area, ...] = Field(
        (0.05, 0.1, 0.2),
        min_length=1,
        max_length=8,
        description="Shares of the image; each gets a mask of its own, and the map is their mean.",
        json_schema_extra={"uniqueItems": True},
    )
    variant: Literal["preserve", "delete"] = Field(
        "preserve",
        description="Whether the region must be kept for a high score, or must go for a low one.",
    )
    cells: int = Field(12, ge=2, le=64, description="Nodes of a mask along the shorter side of the image.")
    smoothing: float = Field(
        0.09,
        ge=0,
        le=0.5,
        description="Sigma of the Gaussian under which the mean of the masks is shown, as a share of the "
        "image's shorter side; 0 shows it as it is.",
    )
    baseline: Filling = Field("blur", description=FILLINGS)
    output: Output = Field("logit", description="Whether the score is the raw output or the probability.")
    steps: int = Field(
        50, ge=2, le=1000, description="Steps of the search: a forward and a backward pass each."
    )

    @field_validator("areas")
    @classmethod
    def _distinct(cls, areas: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(areas)) < len(areas):
            raise ValueError("give each area once")
        return areas


class Regions:
    """Masks for each row and area in turn, drawn to their areas by a sorted template."""

    def __init__(self, probe: Probe, params: ExtremalPerturbationParams) -> None:
        self.count = count = len(params.areas)
        self.rows = torch.arange(len(probe), device=probe.image_of_row.device).repeat_interleave(count)
        self.areas = torch.tensor(params.areas).to(probe.images).repeat(len(probe))
        self._masks = SmoothMasks(probe.images, cells=params.cells, exponent=EXPONENT)
        self.grid = self._masks.grid
        self._canvas, self.params = Canvas(probe, params.baseline), params
        self._images, self._targets = probe.image_of_row[self.rows], probe.targets

    def shown(self, nodes: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The penalty is |vecsort(m) - r_a|^2 over the pixels of the image (eq. 3), as their mean."""
        painted = self._masks.paint(nodes)
        targets = sorted_targets(painted.detach(), self.areas[masks])
        return self._seen(painted, masks), (painted - targets).square().mean((1, 2))

    def objective(self, logits: Tensor, rows: Tensor) -> Tensor:
        """To be small (eq. 2); the logarithm of a probability has its slope but for the size."""
        scores = logits.log_softmax(dim=1) if self.params.output == "probability" else logits
        kept = scores[torch.arange(len(rows), device=rows.device), self._targets[rows]]
        return -kept if self.params.variant == "preserve" else kept

    def slope(self, objective: Tensor, penalty: Tensor, done: float, /) -> Tensor:
        """The score pulls with size one, the area ever more (eq. 4)."""
        return unit(objective) + FORCE * done * penalty * (penalty.shape[1] * penalty.shape[2])

    def regions(self, nodes: Tensor) -> Tensor:
        """(n, H, W): the masks, all but binary, each of exactly its area."""
        return at_area(self._masks.paint(nodes), self.areas)

    def mean(self, regions: Tensor) -> Tensor:
        """(R, H, W): the mean over the areas, smoothed."""
        maps = regions.view(-1, self.count, *self._masks.size).mean(dim=1)
        sigma = self.params.smoothing * min(self._masks.size)
        return blur(maps.unsqueeze(1), sigma).squeeze(1) if sigma > 0 else maps

    def scores(self, probe: Probe, regions: Tensor) -> Tensor:
        """(n,): what the rows' targets get where only the regions are shown, or where they are hidden."""
        inputs = self._seen(regions, torch.arange(len(regions), device=regions.device))
        logits = probe.answers(inputs)
        answers = logits.softmax(dim=1) if self.params.output == "probability" else logits
        return answers[torch.arange(len(regions), device=regions.device), self._targets[self.rows]]

    def _seen(self, painted: Tensor, masks: Tensor) -> Tensor:
        kept = painted if self.params.variant == "preserve" else 1 - painted
        return self._canvas.show(self._images[masks], kept.unsqueeze(1)).squeeze(1)


def explain(probe: Probe, params: ExtremalPerturbationParams) -> Relevance:
    """Where the smallest parts lie that are enough for the class, or without which it goes.

    m_a = argmax_m S_t(m o x + (1 - m) o b) - lambda |vecsort(m) - r_a|^2                     (eq. 2 to 4)
    over masks that are smooth by a max-convolution (section 3.2), of which the power mean of the nodes around
    a pixel stands here; r_a is 1 on the share a of the sorted pixels and 0 on the rest. The masks that are
    found are cut at the level that makes their mean a; the map is their mean over the areas, smoothed as in
    the paper's pointing game.
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
        maps=surface.mean(regions),
        native_grid=surface.grid,
        samples=found.steps[::count],
        stops=found.stops[::count],
        details=details,
        parts=tuple(
            Part(f"mask-{area:g}", PartKind.MAP, regions[place::count])
            for place, area in enumerate(surface.params.areas)
        ),
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

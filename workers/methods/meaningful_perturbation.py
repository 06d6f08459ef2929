"""Meaningful perturbation: the smallest smooth hole in the image that takes the class away."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Params, Relevance
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.perturbation.mask_descent import Descended, descend, unit
from workers.perturbation.smooth_masks import SmoothMasks
from workers.probe import Output, Probe

RATE = 0.25  # what a node changes by in the first step


class MeaningfulPerturbationParams(Params):
    """The hole, what it costs, and how long is searched."""

    size_weight: float = Field(
        0.5, ge=0, le=100, description="What a hole as large as the image costs, in units of the score."
    )
    roughness_weight: float = Field(
        0.2, ge=0, le=100, description="What the total variation of the mask costs, in units of the score."
    )
    roughness_power: float = Field(
        3.0, ge=1, le=5, description="Power of the differences between neighbours in the total variation."
    )
    cells: int = Field(12, ge=2, le=64, description="Nodes of the mask along the shorter side of the image.")
    baseline: Filling = Field("blur", description=FILLINGS)
    output: Output = Field(
        "probability", description="Whether the score is the raw output or the probability, as in the paper."
    )
    steps: int = Field(80, ge=2, le=1000, description="Steps at most: a forward and a backward pass each.")
    tolerance: float | None = Field(
        0.01,
        gt=0,
        le=1,
        description="Stop when the loss has changed by less than this share of all that it has lost; none "
        "means that all steps are taken.",
    )


class Holes:
    """One mask for each row: 1 keeps, 0 hides."""

    def __init__(self, probe: Probe, params: MeaningfulPerturbationParams) -> None:
        self.rows = torch.arange(len(probe), device=probe.image_of_row.device)
        self._masks = SmoothMasks(probe.images, cells=params.cells, exponent=1)
        self.grid = self._masks.grid
        self._canvas, self._params = Canvas(probe, params.baseline), params
        self._images, self._targets = probe.image_of_row, probe.targets

    def shown(self, nodes: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The penalty is that of the nodes, for the mask is smooth by its making."""
        size, roughness = self.costs(nodes)
        return self._canvas.show(self._images[masks], self.keep(nodes).unsqueeze(1)).squeeze(
            1
        ), size + roughness

    def keep(self, nodes: Tensor) -> Tensor:
        """(n, H, W)."""
        return self._masks.paint(nodes)

    def costs(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) each: lambda_1 mean |1 - m| and lambda_2 mean |difference to the neighbours|^beta."""
        down, across = nodes.diff(dim=1).abs(), nodes.diff(dim=2).abs()
        power, cells = self._params.roughness_power, nodes.shape[1] * nodes.shape[2]
        variation = (down**power).sum((1, 2)) + (across**power).sum((1, 2))
        size = (1 - nodes).mean((1, 2))
        return self._params.size_weight * size, self._params.roughness_weight * variation / cells

    def objective(self, logits: Tensor, rows: Tensor) -> Tensor:
        """(m,): the score that is left."""
        answers = logits.softmax(dim=1) if self._params.output == "probability" else logits
        return answers[torch.arange(len(rows), device=rows.device), self._targets[rows]]

    def slope(self, objective: Tensor, penalty: Tensor, _done: float, /) -> Tensor:
        """That of the whole loss, of size one."""
        return unit(objective + penalty)

    def scores(self, probe: Probe, nodes: Tensor) -> Tensor:
        """(n,): the score that is left at the end."""
        inputs, _ = self.shown(nodes, self.rows)
        return self.objective(probe.answers(inputs), self.rows)


def explain(probe: Probe, params: MeaningfulPerturbationParams) -> Relevance:
    """Where something must go so that the class goes, as little as will do.

    m = argmin lambda_1 |1 - m|_1 + lambda_2 sum |grad m|^beta + S_t(m o x + (1 - m) o b)        (eq. 3 and 4)
    The map is 1 - m: the nodes' Gaussian mean, which is both the upsampling and the blur of section 4.3.
    Norms are means over the nodes, so the weights mean the same on every grid.
    Fong, Vedaldi: Interpretable explanations of black boxes by meaningful perturbation, 2017,
    arXiv:1704.03296.
    """
    surface = Holes(probe, params)

    def draft(found: Descended) -> Relevance:
        return Relevance(maps=1 - surface.keep(found.nodes), native_grid=surface.grid, stops=found.stops)

    found = descend(probe, surface, steps=params.steps, rate=RATE, tolerance=params.tolerance, draft=draft)
    scores = surface.scores(probe.part(params.steps / (params.steps + 1), 1.0), found.nodes)
    sizes, roughnesses = surface.costs(found.nodes)
    parts = {"loss": scores + sizes + roughnesses, "score": scores, "size": sizes, "roughness": roughnesses}
    listed = {name: values.tolist() for name, values in parts.items()}
    details = tuple({name: values[row] for name, values in listed.items()} for row in range(len(probe)))
    return Relevance(
        maps=1 - surface.keep(found.nodes),
        native_grid=surface.grid,
        samples=found.steps,
        stops=found.stops,
        details=details,
    )


METHOD = Method(
    name="meaningful-perturbation",
    title="Meaningful perturbation",
    version=1,
    family=Family.OPTIMISED_MASK,
    needs=frozenset({Need.SCORES}),
    signed=False,
    class_specific=True,
    cost=160,
    scales_with="steps",
    requires="Any network that a gradient can be taken of.",
    summary="The smallest smooth hole, filled with blur, that takes the class away.",
    weaknesses=(
        "The weights of size and roughness decide how large the hole becomes.",
        "What holds a class up twice is often found only once: one hole may be as good as another.",
        "What a network answers to a blurred image may say little about its answer to a sharp one.",
    ),
    reference="Fong and Vedaldi 2017, arXiv:1704.03296",
    params=MeaningfulPerturbationParams,
    explain=explain,
)

"""Infidelity: how badly the map predicts what the class score loses when a square is removed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.perturbation.curves import shown_through
from workers.perturbation.fillings import FILLINGS, Canvas, Filling
from workers.probe.trial import Trial


class InfidelityParams(Params):
    """The squares, and what stands in them."""

    samples: int = Field(50, ge=2, le=1000, description="How many random squares are removed, one at a time.")
    largest: float = Field(
        0.5, gt=0, le=1, description="Side of the largest squares, as a share of the image's shorter side."
    )
    filling: Filling = Field("zero", description=FILLINGS)


def measure(trial: Trial, params: InfidelityParams) -> Measure:
    """The mean squared error of the map's predictions, in squared logits; 0 is exact.

    I = E_w[(beta * sum_{i in w} M_i - (S_t(x) - S_t(x without w)))^2]   for random squares w
    A map has units of its own: beta is the factor that makes I least, E[pa] / E[p^2] of predictions p and
    changes a, and 0 for a map of zeros. Sides are uniform from one pixel to the largest, places uniform
    within the image, both by the seed. Yeh et al.: On the (In)fidelity and Sensitivity of Explanations,
    2019, definition 2.1 with square removals, arXiv:1901.09392; beta as in the authors' code.
    """
    height, width = trial.probe.input_size
    most = max(1, round(params.largest * min(height, width)))
    generators = trial.generators("infidelity")
    squares = draw_squares(generators, params.samples, most, (height, width)).to(trial.maps.device)

    def masks(rows: slice, steps: Tensor) -> Tensor:
        return ~inside(squares[rows][:, steps], (height, width))

    canvas = Canvas(trial.probe, params.filling)
    without = shown_through(trial, canvas, masks, params.samples, output="logit")
    actual = (trial.probe.target_logits.unsqueeze(1) - without).double()
    return _error(_sums(trial.maps, squares), actual)


def draw_squares(
    generators: Sequence[torch.Generator], count: int, most: int, size: tuple[int, int]
) -> Tensor:
    """(R, count, 3): top row, left column and side of squares in images of some size, sides 1 to `most`."""
    drawn = torch.stack([torch.rand(count, 3, dtype=torch.float64, generator=one) for one in generators])
    sides = 1 + (drawn[..., 2] * most).long()
    tops, lefts = ((drawn[..., axis] * (pixels - sides + 1)).long() for axis, pixels in enumerate(size))
    return torch.stack([tops, lefts, sides], dim=2)


def inside(squares: Tensor, size: tuple[int, int]) -> Tensor:
    """(..., H, W) bool: the pixels of squares (..., 3)."""
    tops, lefts, sides = (one[..., None] for one in squares.unbind(dim=-1))
    rows, columns = (torch.arange(pixels, device=squares.device) for pixels in size)
    down = (rows >= tops) & (rows < tops + sides)
    across = (columns >= lefts) & (columns < lefts + sides)
    return down[..., :, None] & across[..., None, :]


def _sums(maps: Tensor, squares: Tensor) -> Tensor:
    """(R, s), float64: the sum of maps (R, H, W) over squares (R, s, 3) of their own."""
    totals = maps.new_zeros(squares.shape[:2], dtype=torch.float64)
    for step in range(squares.shape[1]):
        chosen = inside(squares[:, step], (maps.shape[1], maps.shape[2]))
        totals[:, step] = (maps.double() * chosen).sum(dim=(1, 2))
    return totals


def _error(predicted: Tensor, actual: Tensor) -> Measure:
    """Of predictions (R, s) and changes (R, s)."""
    power = predicted.square().sum(dim=1)
    betas = torch.where(power > 0, (predicted * actual).sum(dim=1) / power, 0)
    errors = (betas[:, None] * predicted - actual).square().mean(dim=1)
    changes = actual.square().mean(dim=1)
    return Measure(
        errors,
        tuple(
            {"beta": beta, "relative": error / change if change > 0 else None}
            for beta, error, change in zip(betas.tolist(), errors.tolist(), changes.tolist(), strict=True)
        ),
    )


METRIC = Metric(
    name="infidelity",
    title="Infidelity",
    version=1,
    aspect=Aspect.FAITHFULNESS,
    higher_is_better=False,
    cost=50,
    explanations=0,
    scales_with="samples",
    summary="How badly the map predicts what the class score loses when random squares are removed.",
    weaknesses=(
        "Reads the map as shares that add up, which gradients are not.",
        "In squared logits of the network: compare figures of one image and network only.",
        "Forgives a map with the wrong sign; `beta` is negative then.",
    ),
    reference="Yeh et al. 2019, arXiv:1901.09392",
    params=InfidelityParams,
    measure=measure,
)

"""How the answer changes while the pixels of an image go, or come, in the order of a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from workers.perturbation.fillings import Canvas
from workers.probe import Output
from workers.probe.trial import Trial


def ranks(maps: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """(R, H, W) int32: the place of each pixel of (R, H, W), 0 where the map is largest.

    Equal pixels follow each other by chance, so that no corner of the image comes first.
    """
    flat = maps.flatten(1)
    chance = torch.stack([torch.randperm(flat.shape[1], generator=one) for one in generators])
    chance = chance.to(flat.device)
    order = chance.gather(1, flat.gather(1, chance).argsort(dim=1, descending=True, stable=True))
    places = torch.arange(flat.shape[1], dtype=torch.int32, device=flat.device).expand_as(order)
    return torch.empty_like(places).scatter_(1, order, places).view_as(maps)


def shown_through(
    trial: Trial,
    canvas: Canvas,
    masks: Callable[[slice, Tensor], Tensor],
    count: int,
    *,
    output: Output = "probability",
) -> Tensor:
    """(R, count): what each row's target gets for its image seen through `count` masks of its own.

    `masks(rows, steps)` makes the masks `steps` (s,): (n, s, H, W) bool, true where the image shows.
    """

    def changed(rows: slice, steps: Tensor) -> Tensor:
        return canvas.show(trial.probe.image_of_row[rows], masks(rows, steps))

    return trial.scores(changed, count, output=output)


def boundaries(pixels: int, steps: int, like: Tensor) -> Tensor:
    """(steps + 1,): how many of the pixels are through after each of nearly equal steps, from 0 on."""
    counts = [pixels * step // steps for step in range(steps + 1)]
    return torch.tensor(counts, dtype=torch.int32, device=like.device)


def area_under(curves: Tensor) -> Tensor:
    """(R,) of curves (R, s + 1) over 0 to 1 in equal steps, by the trapezoidal rule."""
    return torch.trapezoid(curves, dx=1 / (curves.shape[1] - 1), dim=1)


def as_words(curves: Tensor) -> tuple[dict[str, list[float]], ...]:
    """The values of each curve, for the details of a measure."""
    return tuple({"curve": [round(value, 6) for value in curve]} for curve in curves.tolist())

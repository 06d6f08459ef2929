"""Random samples, round after round, until the map is exact enough, all is spent, or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from pydantic import Field
from torch import Tensor

from jobs.result import Stop
from workers.declare import Params, Relevance
from workers.perturbation.stopping import stop_of
from workers.probe import Output, Perturb, Probe

LEAST_SAMPLES = 64  # before a standard error is believed


class StopParams(Params):
    """When to stop before all samples have been taken."""

    tolerance: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Stop when the standard error of the map (root mean square) is below this share of its "
        "range; none means that all samples are taken.",
    )
    max_seconds: float | None = Field(
        None,
        gt=0,
        le=86400,
        description="Stop after so many seconds with the map so far, which is marked `late`; none means as "
        "long as the worker allows.",
    )


class SamplingParams(StopParams):
    """When enough samples have been taken."""

    max_samples: int = Field(
        2000, ge=16, le=1_000_000, description="Changed images that are shown to the network at most."
    )


@dataclass(frozen=True)
class Draw:
    """One round of n images: `steps` changed versions of each, which `show(images, steps)` makes.

    `show` counts images from 0 to n - 1. `codes` (n, ...) is what the estimator must know of the draw, and
    `costs` (n,) the forwards that each image is charged with.
    """

    steps: int
    show: Perturb
    codes: Tensor
    costs: Tensor


class Sampler(Protocol):
    """Draws for each image by its own seed, so that its samples do not depend on who is in the batch."""

    def least(self, images: Tensor) -> Tensor:
        """(n,): the forwards that a round of each of these images (n,) costs at least."""

    def draw(self, images: Tensor, left: Tensor, /) -> Draw:
        """The next round of these images, of which each may cost `left` (n,) forwards at most."""


class Estimator(Protocol):
    """What the samples of R rows say so far."""

    def add(self, rows: Tensor, places: Tensor, draw: Draw, answers: Tensor, /) -> None:
        """What rows (r,) got in a round, `answers` (r, steps), for the images `places` (r,) of its draw."""

    def inaccuracies(self, rows: Tensor) -> Tensor:
        """(r,): the standard error of each map (root mean square) as a share of the map's range."""


Describe = Callable[[Tensor, tuple[Stop | None, ...]], Relevance]  # samples (R,) and stops so far


def sample(
    probe: Probe,
    params: SamplingParams,
    sampler: Sampler,
    estimator: Estimator,
    describe: Describe,
    *,
    output: Output,
    rows: Tensor | None = None,
) -> Relevance:
    """What `describe` makes of the estimate when every row has stopped; drafts of it are published between.

    A row stops by what it has itself seen, at the end of a round, so it does not depend on other rows; those
    that go on share the forwards. Where only some `rows` (r,) need samples, the others have converged.
    """
    ends = None if params.max_seconds is None else time.monotonic() + params.max_seconds
    everyone = torch.arange(len(probe), device=probe.image_of_row.device)
    active = everyone if rows is None else rows
    used = torch.zeros_like(everyone)
    stops: list[Stop | None] = [Stop.CONVERGED] * len(probe)
    for row in active.tolist():
        stops[row] = None
    while len(active):
        images, places = _distinct(probe.image_of_row[active])
        spent = torch.zeros_like(images).scatter_(0, places, used[active])
        draw = sampler.draw(images, params.max_samples - spent)
        done, step = (float(one) / params.max_samples for one in (spent.min(), draw.costs.min()))
        part = probe.rows(active).part(min(done, 1.0), min(done + step, 1.0))
        answers = part.scores(draw.show, draw.steps, output=output)
        estimator.add(active, places, draw, answers)
        used[active] += draw.costs[places]
        late = probe.is_late() or (ends is not None and time.monotonic() >= ends)
        left = params.max_samples - used[active]
        exhausted = (left < sampler.least(images)[places]).tolist()
        settled = _settled(estimator, active, params.tolerance, used)
        for row, spent_all, is_settled in zip(active.tolist(), exhausted, settled, strict=True):
            stops[row] = stop_of(settled=is_settled, exhausted=spent_all, late=late)
        active = active[torch.tensor([stops[row] is None for row in active.tolist()], device=active.device)]
        if len(active):
            probe.publish(lambda: describe(used.clone(), tuple(stops)))
    return describe(used, tuple(stops))


def _settled(estimator: Estimator, rows: Tensor, tolerance: float | None, used: Tensor) -> list[bool]:
    if tolerance is None:
        return [False] * len(rows)
    enough = used[rows] >= LEAST_SAMPLES
    settled: list[bool] = (enough & (estimator.inaccuracies(rows) <= tolerance)).tolist()
    return settled


def _distinct(images: Tensor) -> tuple[Tensor, Tensor]:
    """The different images (n,) of rows (r,) by first appearance, and where each row's is among them."""
    order = {image: place for place, image in enumerate(dict.fromkeys(images.tolist()))}
    places = [order[image] for image in images.tolist()]
    return torch.tensor(list(order), device=images.device), torch.tensor(places, device=images.device)

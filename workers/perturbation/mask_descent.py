"""Masks that go down a slope step by step, all of a batch in the same forwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from jobs.result import Stop
from workers.declare import Relevance
from workers.perturbation.smooth_masks import FLOOR
from workers.perturbation.stopping import stop_of
from workers.probe import Probe

MOMENTUM = 0.8
START = 0.5  # of every node
DRAFT_STEPS = 10  # between two drafts
PATIENCE = 8  # steps over which a loss must have changed to go on


class Surface(Protocol):
    """What n masks, each of the row `rows[i]`, go down on."""

    rows: Tensor
    grid: tuple[int, int]

    def shown(self, nodes: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (m, C, H, W) and penalties (m,) of the nodes (m, h, w) of some masks (m,), with a graph."""

    def objective(self, logits: Tensor, rows: Tensor) -> Tensor:
        """(m,): what logits (m, K) of rows (m,) cost."""

    def slope(self, objective: Tensor, penalty: Tensor, done: float, /) -> Tensor:
        """(m, h, w): the way up, out of both gradients, of size one, when the share `done` lies behind."""


@dataclass(frozen=True)
class Descended:
    """Where n masks have come: nodes (n, h, w), the steps they took, and why they stopped if they did."""

    nodes: Tensor
    steps: Tensor
    stops: tuple[Stop | None, ...]


def descend(
    probe: Probe,
    surface: Surface,
    *,
    steps: int,
    rate: float,
    tolerance: float | None,
    draft: Callable[[Descended], Relevance],
) -> Descended:
    """Down with momentum, by steps that shrink evenly to nothing; nodes are held in their bounds.

    A mask stops when its loss has changed by less than `tolerance` of what it has lost in all over the last
    `PATIENCE` steps; none means that all steps are taken. Nothing in it jumps, so that rounding stays small.
    """
    count, like = len(surface.rows), probe.images
    nodes = torch.full((count, *surface.grid), START, dtype=like.dtype, device=like.device)
    velocity, taken = torch.zeros_like(nodes), torch.zeros_like(surface.rows)
    losses = nodes.new_full((count, steps), torch.nan)
    stops: list[Stop | None] = [None] * count
    active = torch.arange(count, device=like.device)
    for step in range(steps):
        part = probe.part(step / (steps + 1), (step + 1) / (steps + 1))
        slopes, losses[active, step] = slopes_at(part, surface, nodes[active], active, step / steps)
        velocity[active] = MOMENTUM * velocity[active] + (1 - MOMENTUM) * slopes
        nodes[active] = (nodes[active] - rate * (1 - step / steps) * velocity[active]).clamp(FLOOR, 1)
        taken[active] += 1
        settled = _settled(losses[active, : step + 1], tolerance)
        late = probe.is_late()
        for mask, is_settled in zip(active.tolist(), settled.tolist(), strict=True):
            stops[mask] = stop_of(settled=is_settled, exhausted=step + 1 == steps, late=late)
        active = active[torch.tensor([stops[mask] is None for mask in active.tolist()], device=like.device)]
        if not len(active):
            break
        if (step + 1) % DRAFT_STEPS == 0:
            probe.publish(lambda: draft(Descended(nodes, taken, tuple(stops))))
    return Descended(nodes, taken, tuple(stops))


def unit(slopes: Tensor) -> Tensor:
    """(m, h, w), each of root mean square one; zeros stay zeros."""
    sizes = slopes.square().mean((1, 2), keepdim=True).sqrt()
    return slopes / sizes.clamp_min(torch.finfo(slopes.dtype).tiny)


def slopes_at(
    probe: Probe, surface: Surface, nodes: Tensor, masks: Tensor, done: float
) -> tuple[Tensor, Tensor]:
    """The way up (m, h, w), and the losses (m,)."""
    with torch.enable_grad():
        leaf = nodes.requires_grad_()
        inputs, penalties = surface.shown(leaf, masks)
    found = probe.slopes(inputs.detach(), surface.rows[masks], surface.objective)
    (objective,) = torch.autograd.grad(inputs, leaf, found.gradients.to(inputs), retain_graph=True)
    (penalty,) = torch.autograd.grad(penalties, leaf, torch.ones_like(penalties))
    return surface.slope(objective, penalty, done), found.values.to(nodes) + penalties.detach()


def _settled(losses: Tensor, tolerance: float | None) -> Tensor:
    """(m,) bool, of losses (m, steps so far)."""
    if tolerance is None or losses.shape[1] <= PATIENCE:
        return losses.new_zeros(len(losses), dtype=torch.bool)
    lately = losses[:, -PATIENCE - 1 :]
    fall = (losses[:, 0] - losses[:, -1]).abs()
    return lately.amax(dim=1) - lately.amin(dim=1) <= tolerance * fall

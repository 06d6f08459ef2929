"""The smallest change of an image after which the network says what is wished, searched along gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from jobs.result import PartKind, Stop
from workers.declare import Params, Part, Relevance
from workers.perturbation.rooms import Room
from workers.perturbation.wishes import Wishes
from workers.probe import Probe, Slopes

SLACK = 0.1  # of the way in logits: how far beyond the wish the search aims, so that it reaches it
SURE = 0.01  # of the way: how far beyond it a change must be to count, so that rounding cannot undo it
FIRST_WEIGHT, RISE = 10.0, 10.0  # a network that were linear would be moved nearly there by the first


class SearchParams(Params):
    """What a small change is, how sure its effect must be, and how long it is searched for."""

    sparsity: float = Field(
        0.05,
        ge=0,
        le=10,
        description="Weight of the sum of absolute changes beside the sum of their squares; more means "
        "fewer pixels that change more.",
    )
    smoothness: float = Field(
        0.02,
        ge=0,
        le=0.25,
        description="Standard deviation of the Gaussian under which the change is seen, as a share of the "
        "image's shorter side; with 0 every pixel changes by itself.",
    )
    confidence: float = Field(
        0.0, ge=0, le=100, description="By how much the class must win at least, in raw outputs."
    )
    steps: int = Field(30, ge=1, le=1000, description="Gradient steps for each weight of the class.")
    rounds: int = Field(
        6,
        ge=1,
        le=20,
        description="Weights of the class that are tried for each image: raised until a change is found, "
        "then halved in between for a smaller one.",
    )


@dataclass(frozen=True)
class Changes:
    """For R rows the smallest changes (R, C, H, W) found, as shares of white less black; zero where none is.

    `answers` (R, K) are the logits of the changed `images`, from a forward of their own. `found` (R,) says
    whether these are as wished, `weights` (R,) what weighed the class when the change was found.
    """

    moves: Tensor
    images: Tensor
    answers: Tensor
    found: Tensor
    weights: Tensor
    is_late: bool

    @property
    def stops(self) -> tuple[Stop | None, ...]:
        """For each row."""
        return (Stop.DEADLINE if self.is_late else None,) * len(self.found)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The changed images, and by how much each pixel changed, its colours added up."""
        return (
            Part("changed-image", PartKind.IMAGE, self.images),
            Part("difference", PartKind.MAP, self.moves.sum(dim=1)),
        )

    def words(self, row: int) -> dict[str, Any]:  # Any: words of JSON
        """What is known of a row's change, for its details."""
        chances, sizes = self.answers[row].softmax(dim=0), self.moves[row].abs()
        best = int(chances.argmax())
        return {
            "found": bool(self.found[row]),
            "prediction": {"index": best, "probability": float(chances[best])},
            "distance": {
                "l1": float(sizes.mean()),
                "l2": float(sizes.square().mean().sqrt()),
                "linf": float(sizes.max()),
            },
            "weight": float(self.weights[row]),
        }


Describe = Callable[[Changes], Relevance]


def search(probe: Probe, wishes: Wishes, room: Room, params: SearchParams, describe: Describe) -> Relevance:
    """What `describe` makes of the changes; drafts of it are published after each round."""
    rows = wishes.rows
    state = _Search(rows, room.some(rows), params)
    total, late = params.rounds * params.steps, False

    def so_far() -> Relevance:
        return describe(_changes(probe, wishes, room, state, is_late=late))

    for done in range(total if len(rows) else 0):
        part = probe.part(done / total, (done + 1) / total)
        state.step(_slopes(part, state.images, rows, wishes))
        late = probe.is_late()
        if late:
            break
        if (done + 1) % params.steps == 0 and done + 1 < total:
            state.end_round()
            probe.publish(so_far)
    return so_far()


def _slopes(probe: Probe, images: Tensor, rows: Tensor, wishes: Wishes) -> Slopes:
    """Each row has a pass to itself: a unit that rounding switches on or off would change all later steps."""
    alone = [slice(place, place + 1) for place in range(len(rows))]
    return Slopes.joined([probe.slopes(images[one], rows[one], wishes.margins) for one in alone])


def _changes(probe: Probe, wishes: Wishes, room: Room, state: _Search, *, is_late: bool) -> Changes:
    moves, weights = torch.zeros_like(room.starts), room.starts.new_zeros(len(room.starts))
    moves[state.rows], weights[state.rows] = state.best, state.best_weights
    images = room.images(moves)
    answers = probe.part(1, 1).answers(images)
    found = torch.zeros(len(moves), dtype=torch.bool, device=moves.device)
    found[state.rows] = (wishes.margins(answers, torch.arange(len(moves), device=moves.device)) > 0)[
        state.rows
    ] & state.best_costs.isfinite()
    return Changes(moves, images, answers, found, weights, is_late)


class _Search:
    """Levers u (n, C, H, W) of n rows on their way down, and the nearest change that each has met.

    min over u of  c h(u)^2 + beta |u|_1 + |u|_2^2,   h = max(aim - margin(start + G u), 0)
    by accelerated proximal steps (Beck and Teboulle 2009), the step of each row from the curvature that the
    square of h has where the margin is linear. h and its slope have no jump, so that rounding stays small.
    """

    def __init__(self, rows: Tensor, room: Room, params: SearchParams) -> None:
        self.rows, self._room, self._params = rows, room, params
        self._levers = self._ahead = torch.zeros_like(room.starts)
        self.best, self.best_costs = (
            torch.zeros_like(room.starts),
            room.starts.new_full((len(rows),), torch.inf),
        )
        self.best_weights = torch.zeros_like(self.best_costs)
        self._ways = torch.full_like(self.best_costs, -1)  # how far each is from its wish at first
        self._weights = self._too_low = torch.zeros_like(self.best_costs)
        self._enough = torch.full_like(self.best_costs, torch.inf)
        self._found_now = torch.zeros_like(rows, dtype=torch.bool)
        self._momentum = 0

    @property
    def images(self) -> Tensor:
        """(n, C, H, W), where the slopes are wanted next."""
        return self._room.images(self._room.moves(self._ahead))

    def step(self, slopes: Slopes) -> None:
        """One step by the margins and their gradients at `images`."""
        moves, margins = self._room.moves(self._ahead), slopes.values.to(self._ahead.dtype)
        uphill = self._room.smooth(self._room.free(moves, slopes.gradients * self._room.units))
        steepness = uphill.square().sum((1, 2, 3))
        if (self._ways < 0).all():
            self._ways = (self._params.confidence - margins).clamp_min(0)
            self._weights = FIRST_WEIGHT / steepness.clamp_min(torch.finfo(steepness.dtype).tiny ** 0.5)
        self._note(moves, margins)
        short = (self._params.confidence + SLACK * self._ways - margins).clamp_min(0)
        curvatures = 2 * self._weights * steepness + 2
        downhill = 2 * self._ahead - _each(2 * self._weights * short) * uphill
        levers = _shrink(
            self._ahead - downhill / _each(curvatures), self._params.sparsity / _each(curvatures)
        )
        ahead = levers + self._momentum / (self._momentum + 3) * (levers - self._levers)
        if self._room.sigma == 0:
            levers, ahead = self._room.hold(levers), self._room.hold(ahead)
        self._levers, self._ahead, self._momentum = levers, ahead, self._momentum + 1

    def end_round(self) -> None:
        """Another weight of the class: more where no change was found, less where one was."""
        found = self._found_now
        self._enough = torch.where(found, self._weights, self._enough)
        self._too_low = torch.where(found, self._too_low, self._weights)
        between = (self._too_low * self._enough).sqrt()
        less = torch.where(self._too_low == 0, self._weights / RISE, between)
        self._weights = torch.where(self._enough.isinf(), self._weights * RISE, less)
        self._found_now = torch.zeros_like(found)
        self._ahead, self._momentum = self._levers, 0

    def _note(self, moves: Tensor, margins: Tensor) -> None:
        costs = (self._params.sparsity * moves.abs() + moves.square()).sum((1, 2, 3))
        reached = margins > self._params.confidence + SURE * self._ways
        self._found_now = self._found_now | reached
        better = reached & (costs < self.best_costs)
        self.best = torch.where(_each(better), moves, self.best)
        self.best_costs = torch.where(better, costs, self.best_costs)
        self.best_weights = torch.where(better, self._weights, self.best_weights)


def _shrink(values: Tensor, amounts: Tensor) -> Tensor:
    """The proximal step of the sum of absolute values."""
    return values.sign() * (values.abs() - amounts).clamp_min(0)


def _each(values: Tensor) -> Tensor:
    """(n,) -> (n, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)

"""Cells of a layer's grid taken over from another image, one after the other, the best first."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.probe import Probe
from workers.probe.heads import Head
from workers.probe.layers import Layer

TIE = 1e-5  # of the range of the scores: what is nearer to the best is as good, and the first is taken


@dataclass(frozen=True)
class Swap:
    """A cell of the image, the one of the reference that took its place, and what that brought."""

    cell: int
    by: int
    gain: float


@dataclass
class Swaps:
    """The way so far: `answers` (K,) are the logits now, `is_exhaustive` says if every pair was tried."""

    answers: Tensor
    made: list[Swap] = field(default_factory=list)
    is_exhaustive: bool = True
    reason: str | None = None


class Swapper:
    """One image on its way to another class by cells of a reference; each cell goes or comes once at most."""

    def __init__(self, probe: Probe, row: int, layer: Layer, wanted: int, *, pairs: int) -> None:
        """At most `pairs` pairs of cells are tried for a swap, those that the gradient favours."""
        self._layer, self._wanted, self._pairs = layer, wanted, pairs
        self._head: Head = probe.traced.head(layer, probe.inputs[row : row + 1])
        other = probe.traced.head(layer, probe.references[row : row + 1])
        self._now = self._head.values(0).clone()
        self._theirs = self._flat(other.values(0))[0]
        cells = self._theirs.shape[1]
        self._open = torch.ones(cells, cells, dtype=torch.bool, device=self._now.device)
        self.swaps = Swaps(self._head.answers(self._now, 0)[0])

    @property
    def is_there(self) -> bool:
        """Whether the class is the wanted one."""
        return int(self.swaps.answers.argmax()) == self._wanted

    def advance(self, probe: Probe) -> bool:
        """The best swap, if any brings the class nearer; `probe` shows how far the work is."""
        cells, by = self._candidates()

        def swapped(steps: Tensor) -> Tensor:
            copies = self._now.repeat(len(steps), *(1,) * (self._now.dim() - 1))
            places = torch.arange(len(steps), device=steps.device)
            width = self._layer.layout.width
            down, across = cells[steps] // width, cells[steps] % width
            self._layer.layout.to_maps(copies)[places, :, down, across] = self._theirs[:, by[steps]].T
            return copies

        if not len(cells):
            return self._give_up("every cell has been swapped")
        answers = probe.traced.head_answers(self._head, swapped, len(cells))
        scores = answers.log_softmax(dim=1)[:, self._wanted]
        low, high = scores.aminmax()
        best = int((scores >= high - TIE * (high - low)).nonzero()[0])
        gain = float(scores[best] - self.swaps.answers.log_softmax(dim=0)[self._wanted])
        if gain <= 0:
            return self._give_up("no further swap brings the class nearer")
        self._now = swapped(torch.tensor([best], device=cells.device))
        self._open[cells[best]] = False
        self._open[:, by[best]] = False
        self.swaps.answers = self._head.answers(self._now, 0)[0]
        self.swaps.made.append(Swap(int(cells[best]), int(by[best]), gain))
        return True

    def _candidates(self) -> tuple[Tensor, Tensor]:
        """Pairs (n,) and (n,) that are still open, in order."""
        if int(self._open.sum()) <= self._pairs:
            cells, by = self._open.nonzero(as_tuple=True)
            return cells, by
        self.swaps.is_exhaustive = False
        gradients = self._head.gradients(self._now, 0, lambda logits: logits.log_softmax(1)[:, self._wanted])
        slopes = self._flat(gradients)[0]
        promises = slopes.T @ self._theirs - (slopes * self._flat(self._now)[0]).sum(dim=0)[:, None]
        promises = promises.masked_fill(~self._open, -torch.inf).flatten()
        chosen = promises.topk(self._pairs).indices.sort().values
        return chosen // len(self._open), chosen % len(self._open)

    def _flat(self, values: Tensor) -> Tensor:
        """What the layer returned -> (1, C, cells)."""
        return self._layer.layout.to_maps(values).flatten(2)

    def _give_up(self, reason: str) -> bool:
        self.swaps.reason = reason
        return False

"""Backward walks of rows, several of which may share an image, from one forward walk over the images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from workers.probe.passes import Pair
from workers.probe.propagation import Propagated, Propagation
from workers.probe.rounds import rounds

Seed = Literal["one", "logit"]  # the relevance of the target at the start; all other logits have none


class WayBack:
    """The backward walks of R rows from logits of S images."""

    def __init__(
        self, propagated: Propagated, places: Sequence[Pair], checkpoint: Callable[[float], None]
    ) -> None:
        self._propagated, self._places, self._checkpoint = propagated, list(places), checkpoint

    @cached_property
    def _image_of_row(self) -> list[int]:
        return [image for image, _ in self._places]

    @property
    def logits(self) -> Tensor:
        """(R, K), as the walk computed them."""
        return self._propagated.logits.detach()[self._image_of_row]

    @property
    def target_logits(self) -> Tensor:
        """(R,), the logit of each row's target."""
        return self.of_targets(self.logits)

    def of_targets(self, logits: Tensor) -> Tensor:
        """(R,) of (R, K): what stands at each row's target."""
        targets = torch.tensor([target for _, target in self._places], device=logits.device)
        return logits.gather(1, targets[:, None])[:, 0]

    def relevances(self, points: Sequence[str], *, seed: Seed | Tensor = "one") -> tuple[Tensor, ...]:
        """(R, ...) at each of some points. A seed of (R, K) is the relevance of all logits of a row."""
        found: list[dict[int, Tensor]] = [{} for _ in points]
        for rows in rounds(self._image_of_row):
            self._checkpoint(0.0)
            seeds = torch.zeros_like(self._propagated.logits.detach())
            for row in rows:
                self._sow(seeds, row, seed)
            for place, values in enumerate(self._propagated.backward(seeds, points)):
                found[place].update({row: values[self._places[row][0]] for row in rows})
        return tuple(torch.stack([one[row] for row in range(len(self._places))]) for one in found)

    def _sow(self, seeds: Tensor, row: int, seed: Seed | Tensor) -> None:
        image, target = self._places[row]
        if isinstance(seed, Tensor):
            seeds[image] = seed[row]
        else:
            seeds[image, target] = 1 if seed == "one" else self._propagated.logits.detach()[image, target]


class Walk(WayBack):
    """A forward walk over S images with rules, and the backward walks of R rows that start from it."""

    def __init__(
        self, propagation: Propagation, places: Sequence[Pair], checkpoint: Callable[[float], None]
    ) -> None:
        super().__init__(propagation, places, checkpoint)
        self._propagation = propagation

    @property
    def metered(self) -> tuple[str, ...]:
        """The calls of which a meter notes something, in order; `relevances` gives it by their names."""
        return tuple(self._propagation.metered)

    @property
    def witness_logits(self) -> tuple[Tensor, ...]:
        """(R, K) for each witness."""
        number = len(self._propagation.logits)
        return tuple(one.expand(number, -1)[self._image_of_row] for one in self._propagation.witnessed)

    def values(self, point: str) -> Tensor:
        """(R, ...) what the network computed at a point."""
        return self._propagation.values(point)[self._image_of_row]

"""What another network says of the rows of a trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from jobs.errors import NotExplainable
from workers.probe.circumstances import Circumstances


@dataclass(frozen=True)
class Opinion:
    """What another network says of one row, with the same method and parameters, and the same target.

    `map` (H, W) lies at the pixels of the map on trial, and `seen` (H, W) bool says which of these the other
    network was shown. `score` is the probability of the target, `is_predicted` whether no class has a larger
    one. A `refusal` says why there is no map; where even the network cannot be asked there is no score.
    """

    score: float | None = None
    is_predicted: bool | None = None
    map: Tensor | None = None
    seen: Tensor | None = None
    refusal: str | None = None


Opinions = Callable[[str, Circumstances], Sequence[Opinion]]  # by the name of a model, one for each row


def alone(name: str, _: Circumstances) -> Sequence[Opinion]:
    """Nobody else is there."""
    raise NotExplainable(f"there is no other model {name!r} to ask")

"""Images so close to others that nobody sees the difference, and the maps of both."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field
from torch import Tensor

from workers.declare import Params
from workers.probe.trial import Elsewhere, Trial
from workers.tensors.noise import UniformNoise


class NearbyParams(Params):
    """How far away, and how often."""

    radius: float = Field(
        0.02,
        gt=0,
        le=1,
        description="What a value of the image changes by at most, as a share of the range black to white.",
    )
    samples: int = Field(10, ge=1, le=1000, description="Changed images whose maps are computed.")


def compared(trial: Trial, params: NearbyParams, word: str, compare: Callable[[Elsewhere], Tensor]) -> Tensor:
    """(R, samples): what `compare` makes of maps at images x' = x + u, u uniform in the ball by L-infinity.

    The noise of a row follows from its seed and the word. Values may leave the range from black to white.
    """
    probe = trial.probe
    noise = UniformNoise(trial.generators(word), probe.inputs)
    spans = (probe.white - probe.black).abs()[probe.image_of_row].unsqueeze(1)

    def points(rows: slice, steps: Tensor) -> Tensor:
        near = noise.draw(rows, len(steps)).mul_(params.radius * spans[rows])
        return near.add_(probe.inputs[rows].unsqueeze(1))

    found = trial.maps.new_zeros(len(trial), params.samples)
    for part in trial.elsewhere(points, params.samples):
        found[part.rows, part.steps] = compare(part).to(found)
    return found


def distances(some: Tensor, other: Tensor) -> Tensor:
    """(n, s): how far each of (n, s, ...) is from its row's (n, ...), by the L2 norm."""
    return (some - other.unsqueeze(1)).square().flatten(2).sum(dim=2).sqrt()

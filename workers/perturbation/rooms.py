"""Where a changed image may lie: around a start, between bounds, in smooth steps if asked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from workers.probe import Probe


@dataclass(frozen=True)
class Room:
    """R starts (R, C, H, W) in the model's units, and how far each value may move from there.

    `units` (R, C, 1, 1) is white less black; moves are in shares of it, from `low` <= 0 to `high` >= 0.
    `sigma` is the standard deviation in pixels of the Gaussian under which moves are seen, 0 for none.
    """

    starts: Tensor
    units: Tensor
    low: Tensor
    high: Tensor
    sigma: float = 0.0

    @classmethod
    def between_black_and_white(cls, probe: Probe, *, smoothness: float = 0.0) -> Room:
        """Around the images of the rows; `smoothness` is a share of the shorter side."""
        units, black = units_of(probe), probe.black[probe.image_of_row]
        shares = (probe.inputs - black) / units
        low, high = (-shares).clamp_max(0), (1 - shares).clamp_min(0)
        return cls(probe.inputs, units, low, high, smoothness * min(probe.input_size))

    def some(self, rows: Tensor) -> Room:
        """That of some rows (r,)."""
        return Room(self.starts[rows], self.units[rows], self.low[rows], self.high[rows], self.sigma)

    def images(self, moves: Tensor) -> Tensor:
        """(R, C, H, W), the starts moved, in the model's units."""
        return self.starts + self.units * moves

    def moves(self, levers: Tensor) -> Tensor:
        """What levers (R, C, H, W) move: smoothed, and held within the bounds."""
        return self.hold(self.smooth(levers))

    def hold(self, moves: Tensor) -> Tensor:
        """Within the bounds."""
        return torch.minimum(torch.maximum(moves, self.low), self.high)

    def free(self, moves: Tensor, directions: Tensor) -> Tensor:
        """The directions (R, C, H, W) without those that lead out of the room."""
        blocked = ((moves <= self.low) & (directions < 0)) | ((moves >= self.high) & (directions > 0))
        return torch.where(blocked, 0, directions)

    def smooth(self, values: Tensor) -> Tensor:
        """The Gaussian over (R, C, H, W), nothing beyond the edge: the same forwards as backwards."""
        if self.sigma == 0:
            return values
        radius = max(1, round(3 * self.sigma))
        offsets = torch.arange(-radius, radius + 1, dtype=values.dtype, device=values.device)
        kernel = torch.exp(-0.5 * (offsets / self.sigma) ** 2)
        kernel = (kernel / kernel.sum()).view(1, 1, -1, 1)
        flat = values.flatten(0, 1).unsqueeze(1)
        down = F.conv2d(flat, kernel, padding=(radius, 0))
        return F.conv2d(down, kernel.mT, padding=(0, radius)).view_as(values)


def units_of(probe: Probe) -> Tensor:
    """(R, C, 1, 1): white less black in the model's units, one where the image has a single value."""
    units = (probe.white - probe.black)[probe.image_of_row]
    return torch.where(units == 0, 1, units)

"""Windows that slide over the image, and the map of what each of them showed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field, model_validator
from torch import Tensor

from workers.declare import Params


class WindowParams(Params):
    """The window, and its way over the image."""

    window: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Side of the square window in pixels of the model's input; "
        "none means an eighth of the input's shorter side.",
    )
    stride: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Pixels between neighbouring windows, at most `window`; none means half a window.",
    )

    @model_validator(mode="after")
    def _leaves_no_gaps(self) -> WindowParams:
        if self.window is not None and self.stride is not None and self.stride > self.window:
            raise ValueError("stride must be at most window, else pixels between windows are never covered")
        return self


@dataclass(frozen=True)
class Windows:
    """Square windows on a grid (rows, columns): `down` (H, rows) and `across` (W, columns) hold 1 or 0."""

    down: Tensor
    across: Tensor

    @classmethod
    def over(cls, images: Tensor, params: WindowParams) -> Windows:
        """The windows over images (N, C, H, W), with the words for none filled in."""
        height, width = images.shape[2:]
        window = params.window or max(params.stride or 1, min(height, width) // 8)
        stride = params.stride or max(1, window // 2)
        return cls(
            coverage(height, window, stride, like=images), coverage(width, window, stride, like=images)
        )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        return self.down.shape[1], self.across.shape[1]

    def __len__(self) -> int:
        return self.grid[0] * self.grid[1]

    def masks(self, steps: Tensor) -> Tensor:
        """(s, H, W), true inside the windows `steps` (s,), which are counted row by row."""
        row, column = steps // self.grid[1], steps % self.grid[1]
        return torch.einsum("hs,ws->shw", self.down[:, row], self.across[:, column]).bool()

    @property
    def ends(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """The first and the last place of each row of windows, and of each column, within the image."""
        return _ends(self.down), _ends(self.across)

    def average(self, values: Tensor) -> Tensor:
        """(R, windows) -> (R, H, W): the mean over the windows that cover each pixel."""
        down, across = self._shares()
        return down @ values.view(-1, *self.grid) @ across.T

    def average_errors(self, errors: Tensor) -> Tensor:
        """(R, windows) -> (R, H, W): of `average`, where these are the errors of windows each by itself."""
        down, across = self._shares()
        return (down.square() @ errors.square().view(-1, *self.grid) @ across.square().T).sqrt()

    def _shares(self) -> tuple[Tensor, Tensor]:
        """(H, rows), (W, columns): what each row and column of windows counts for a pixel."""
        return (
            self.down / self.down.sum(dim=1, keepdim=True),
            self.across / self.across.sum(dim=1, keepdim=True),
        )


def _ends(covered: Tensor) -> tuple[Tensor, Tensor]:
    first = covered.argmax(dim=0)
    return first, first + covered.sum(dim=0).long() - 1


def coverage(length: int, window: int, stride: int, *, like: Tensor) -> Tensor:
    """(length, windows): 1 where a window covers a position, else 0.

    Windows start at 0, stride, 2 stride ... until the end is covered; the last may reach over it.
    """
    count = 1 + max(0, -(-(length - window) // stride))
    starts = torch.arange(count, device=like.device) * stride
    distance = torch.arange(length, device=like.device).unsqueeze(1) - starts
    return ((distance >= 0) & (distance < window)).to(like.dtype)

"""From checked pixels to a network's input, with every step in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from jobs.errors import NotExplainable
from jobs.job import ImageRef
from jobs.result import Box
from workers.models.declaration import InputTable
from workers.tensors.grey import GREY_WEIGHTS

MAX_RESIZED_PIXELS = 2**26  # a line of pixels must not become an image that fills the memory


@dataclass(frozen=True)
class Prepared:
    """One input (C, H, W) float32, what was done to get it, and the source pixels that it covers."""

    tensor: Tensor
    # Any: each step has words of its own.
    steps: tuple[dict[str, Any], ...]
    box: Box


@dataclass(frozen=True)
class PreparedMask:
    """Which pixels of one input are inside, (H, W) bool, and which share of the inside lies in the input.

    `inside_share` is from 0 to 1, and None where no pixel is inside.
    """

    inside: Tensor
    inside_share: float | None


@dataclass(frozen=True)
class Intake:
    """Feeds one model: the same steps for every image, as its model.toml says."""

    table: InputTable
    _mean: Tensor = field(init=False)
    _std: Tensor = field(init=False)

    def __post_init__(self) -> None:
        channels = self.table.channels
        object.__setattr__(self, "_mean", _column(self.table.mean or (0.0,) * channels))
        object.__setattr__(self, "_std", _column(self.table.std or (1.0,) * channels))

    @property
    def black(self) -> Tensor:
        """(1, C, 1, 1), black in the network's units."""
        return ((0 - self._mean) / self._std).unsqueeze(0)

    @property
    def white(self) -> Tensor:
        """(1, C, 1, 1), white in the network's units."""
        return ((1 - self._mean) / self._std).unsqueeze(0)

    def prepare(self, pixels: bytes, image: ImageRef, *, field: str = "image") -> Prepared:
        """Raw pixels of the shape and dtype that `image` says -> the network's input.

        Raises NotExplainable, naming the `field` that the image came in, where its shorter side cannot be
        resized without making it huge.
        """
        scaled = _from_bytes(pixels, image)
        coloured, colour_steps = self._colour(scaled)
        resized, resize_steps = self._resize(coloured, field)
        cropped, (top, left) = self._crop(resized)
        height, width = self.table.size
        steps: list[dict[str, Any]] = [{"step": "scale", "from": image.dtype, "to": [0, 1]}]
        steps += colour_steps + resize_steps
        if cropped.shape != resized.shape:
            steps.append({"step": "centre-crop", "to": [height, width], "at": [top, left]})
        steps.append({"step": "normalise", **self._numbers()})
        tensor = (cropped.expand(self.table.channels, -1, -1) - self._mean) / self._std
        down, across = image.height / resized.shape[1], image.width / resized.shape[2]
        box = Box(x0=left * across, y0=top * down, x1=(left + width) * across, y1=(top + height) * down)
        return Prepared(tensor, tuple(steps), box)

    def prepare_mask(self, pixels: bytes, mask: ImageRef) -> PreparedMask:
        """Raw pixels of a mask that lies upon an image -> what is inside at the network's input.

        Inside is what is brighter than half of the full range, in grey. It goes the way of the image, each
        pixel to the nearest. Raises NotExplainable like `prepare` does for the image, which is as large.
        """
        scaled = _from_bytes(pixels, mask)
        grey = (scaled * _column(GREY_WEIGHTS)).sum(dim=0) if len(scaled) == 3 else scaled[0]
        inside = (grey > 0.5).float().unsqueeze(0)
        target = self._target(mask.height, mask.width, "image")
        whole = F.interpolate(inside.unsqueeze(0), size=target, mode="nearest-exact").squeeze(0)
        cropped, _ = self._crop(whole)
        seen, every = float(cropped.double().sum()), float(whole.double().sum())
        return PreparedMask(cropped[0].bool(), seen / every if every else None)

    def _colour(self, image: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
        mode: Literal["grey", "rgb"] = self.table.mode
        if mode == "grey" and len(image) == 3:
            luma = (image * _column(GREY_WEIGHTS)).sum(dim=0, keepdim=True)
            return luma, [{"step": "rgb-to-grey", "weights": list(GREY_WEIGHTS)}]
        if mode == "rgb" and len(image) == 1:
            return image.expand(3, -1, -1), [{"step": "grey-to-rgb"}]
        return image, []

    def _resize(self, image: Tensor, field: str) -> tuple[Tensor, list[dict[str, Any]]]:
        """Bilinear with antialiasing, to the shorter side or to the exact size."""
        target = self._target(image.shape[1], image.shape[2], field)
        if tuple(image.shape[1:]) == target:
            return image, []
        resized = F.interpolate(
            image.unsqueeze(0), size=target, mode="bilinear", align_corners=False, antialias=True
        )
        return resized.squeeze(0), [{"step": "resize", "to": list(target), "filter": "bilinear, antialiased"}]

    def _target(self, height: int, width: int, field: str) -> tuple[int, int]:
        """Height and width that a picture is resized to."""
        target = self.table.resize or self.table.size
        if not isinstance(target, int):
            return target
        short = min(height, width)
        resized = (int(target * height / short), int(target * width / short))
        if resized[0] * resized[1] > MAX_RESIZED_PIXELS:
            words = f"an image of {height} x {width} is too long and thin: its shorter side is resized"
            raise NotExplainable.about(field, words)
        return resized

    def _crop(self, resized: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The middle of (C, H, W), and where its top and left lie."""
        top, left = (_middle(resized.shape[1 + axis], self.table.size[axis]) for axis in (0, 1))
        height, width = self.table.size
        return resized[:, top : top + height, left : left + width], (top, left)

    def _numbers(self) -> dict[str, list[float]]:
        table = self.table
        return {
            "mean": list(table.mean or (0.0,) * table.channels),
            "std": list(table.std or (1.0,) * table.channels),
        }


def _from_bytes(pixels: bytes, image: ImageRef) -> Tensor:
    """(C, H, W) float32 from 0 to 1."""
    dtype, largest = (torch.uint8, 255.0) if image.dtype == "uint8" else (torch.uint16, 65535.0)
    flat = torch.frombuffer(bytearray(pixels), dtype=dtype)
    return flat.view(image.height, image.width, image.channels).permute(2, 0, 1).float() / largest


def _column(numbers: tuple[float, ...]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1)


def _middle(length: int, part: int) -> int:
    """Where the middle `part` of a length begins."""
    return round((length - part) / 2)

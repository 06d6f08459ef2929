"""What an image is compared with: the vocabulary of baselines that methods share."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

Baseline = Literal["zero", "black", "white", "mean", "blur"]
BASELINES = (
    "What stands for absence: `zero` in the model's units (after normalisation the mean colour of its "
    "data), `black`, `white`, `mean` (the image's own mean colour) or `blur` (the image under a Gaussian "
    "whose sigma is a tenth of its shorter side)."
)


class Subject(Protocol):
    """What a baseline is made from: images (N, C, H, W), and black and white (N, C, 1, 1) in their units."""

    @property
    def images(self) -> Tensor: ...
    @property
    def black(self) -> Tensor: ...
    @property
    def white(self) -> Tensor: ...


def make_baselines(subject: Subject, baseline: Baseline) -> Tensor:
    """(N, C, H, W): the baseline of each image."""
    images = subject.images
    if baseline == "zero":
        return torch.zeros_like(images)
    if baseline == "blur":
        return blur(images, sigma=min(images.shape[2:]) / 10)
    if baseline == "mean":
        return images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    return (subject.black if baseline == "black" else subject.white).expand_as(images)


def black_and_white(subject: Subject) -> tuple[Tensor, Tensor]:
    """The darkest and the brightest image, (1, C, H, W) each where they are the same for all images."""
    return (
        shared_by_all(make_baselines(subject, "black")),
        shared_by_all(make_baselines(subject, "white")),
    )


def blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of (N, C, H, W), sigma in pixels; beyond the edge the edge itself goes on."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, -1)
    padded = F.pad(images, (radius,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel.unsqueeze(2), groups=images.shape[1])
    return F.conv2d(across, kernel.unsqueeze(3), groups=images.shape[1])


def shared_by_all(baselines: Tensor) -> Tensor:
    """(1, C, H, W) where all of (N, C, H, W) are equal, else all of them."""
    equal = len(baselines) > 1 and bool((baselines[1:] == baselines[:1]).all())
    return baselines[:1] if equal else baselines

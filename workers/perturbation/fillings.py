"""What stands where a mask hides the image: the baselines, noise, a colour, or what the rest suggests."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from workers.probe import Probe
from workers.tensors.baselines import Baseline, make_baselines
from workers.tensors.grey import GREY_WEIGHTS

Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", max_length=7)]
NamedFilling = Literal["zero", "black", "white", "mean", "blur", "noise", "inpainted"]
Filling = NamedFilling | Colour
FILLINGS = (
    "What stands where the image is hidden: `zero` in the model's units (after normalisation the mean "
    "colour of its data), `black`, `white`, `mean` (the image's own mean colour), `blur` (the image under a "
    "Gaussian whose sigma is a tenth of its shorter side), `noise` (uniform from black to white, by the "
    "seed), `inpainted` (what is shown, carried on smoothly), or a colour such as `#808080`."
)


class Canvas:
    """The images of a probe, and what stands where a mask hides them: a filling, or pixels (S, C, H, W)."""

    def __init__(self, probe: Probe, filling: Filling | Tensor) -> None:
        self._images = probe.images
        if isinstance(filling, Tensor):
            self.filling: Tensor | None = filling
        else:
            self.filling = None if filling == "inpainted" else make_filling(probe, filling)

    def show(self, images: slice | Tensor, masks: Tensor) -> Tensor:
        """(n, s, C, H, W): images seen through masks (n or 1, s, H, W), where 1 shows and 0 hides.

        Masks of bool only choose between the two, which is much faster.
        """
        whole, masks = self._images[images].unsqueeze(1), masks.unsqueeze(2)
        if self.filling is not None:
            hidden = self.filling[images].unsqueeze(1)
            return (
                torch.where(masks, whole, hidden) if masks.dtype is torch.bool else hidden.lerp(whole, masks)
            )
        masks = masks.to(whole.dtype).expand(len(whole), *masks.shape[1:])
        shown = (whole * masks).flatten(0, 1)
        filled = carry_on(shown, masks.flatten(0, 1), whole.mean((3, 4), keepdim=True))
        return (shown + (1 - masks.flatten(0, 1)) * filled).view(*masks.shape[:2], *whole.shape[2:])


def make_filling(probe: Probe, filling: Filling) -> Tensor:
    """(S, C, H, W): what stands everywhere in each image of the probe; of all but `inpainted`."""
    if filling == "noise":
        shape = probe.images.shape[1:]
        draws = [torch.rand(shape, generator=generator) for generator in probe.generators()]
        return probe.black.lerp(probe.white, torch.stack(draws).to(probe.images))
    if filling in get_args(Baseline):
        return make_baselines(probe, filling)  # type: ignore[arg-type]  # it was looked up
    shares = [int(filling[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    if probe.images.shape[1] == 1:
        shares = [sum(weight * share for weight, share in zip(GREY_WEIGHTS, shares, strict=True))]
    colour = torch.tensor(shares).to(probe.images)[:, None, None]
    return probe.black.lerp(probe.white, colour).expand_as(probe.images)


def carry_on(shown: Tensor, masks: Tensor, otherwise: Tensor) -> Tensor:
    """(n, C, H, W): every pixel from what is shown around it, near before far (push and pull).

    `shown` is the image times `masks` (n, 1, H, W); `otherwise` (m, 1, C, 1, 1), for n/m masks each, stands
    where nothing is shown. Gortler et al.: The Lumigraph, 1996, section 3.4.
    """
    height, width = masks.shape[2:]
    if max(height, width) == 1:
        nothing = otherwise.expand(-1, len(shown) // len(otherwise), -1, -1, -1).flatten(0, 1)
        return torch.where(masks > 0, shown / masks.clamp_min(torch.finfo(masks.dtype).tiny), nothing)
    padding = (0, width % 2, 0, height % 2)
    sums = F.avg_pool2d(F.pad(torch.cat([shown, masks], dim=1), padding), 2) * 4
    weights = sums[:, -1:]
    averages = sums[:, :-1] / weights.clamp_min(1)  # weights above one count as one: near enough is enough
    coarse = carry_on(averages, weights.clamp_max(1), otherwise)
    known = weights.clamp_max(1)
    coarse = averages + (1 - known) * coarse
    return F.interpolate(coarse, size=(height + height % 2, width + width % 2), mode="bilinear")[
        :, :, :height, :width
    ]

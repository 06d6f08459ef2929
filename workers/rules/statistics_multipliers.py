"""Multipliers of what compares values with each other: softmax and norms, taken apart into simple steps.

A quotient z = c / d is the product c = z d seen from the other side: dz = (dc - mean(z) dd) / mean(d), which
stays in bounds when one of two denominators is nearly zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.graph import Site
from workers.graph.kinds import name_of
from workers.graph.passages import Witness


def of_softmax(site: Site, there: Witness, here: Witness, multipliers: Tensor) -> Sequence[Tensor]:
    """As x - mean(x), the exponential, and the quotient of it and its sum.

    Values that all rise by the same change nothing, as with the gradient.
    """
    arguments, keywords = site.arguments(here.inputs[0])
    dim = keywords["dim"] if "dim" in keywords else arguments[1]
    heard = ~here.inputs[0].isneginf()  # a mask of minus infinity leaves the others alone
    count = heard.sum(dim, keepdim=True)
    after, before = (_centred_where(heard, one.inputs[0], count, dim) for one in (here, there))
    largest = torch.maximum(after.amax(dim, keepdim=True), before.amax(dim, keepdim=True))
    powers, powers_before = (after - largest).exp(), (before - largest).exp()
    total = (powers + powers_before).sum(dim, keepdim=True) / 2
    shares = (here.output + there.output) / 2
    of_powers = (multipliers - (multipliers * shares).sum(dim, keepdim=True)) / total
    change = (after - before).masked_fill(~heard, 0)
    of_centred = of_powers * _chord_of_exp(powers, powers_before, change)
    return ((of_centred - of_centred.sum(dim, keepdim=True) / count).masked_fill(~heard, 0),)


def of_normalisation(site: Site, there: Witness, here: Witness, multipliers: Tensor) -> Sequence[Tensor]:
    """As x - mean(x), the root of the mean of its squares, and the quotient of the two."""
    arguments, keywords = site.arguments(here.inputs[0])
    given = dict(zip(("input", "size", "weight", "bias", "eps"), arguments, strict=False)) | keywords
    shape, dims = _groups(given["size"], multipliers.shape)
    scaled = (multipliers * _scale(site, given.get("weight"), multipliers)).reshape(shape)
    after, before = (_centred(one.inputs[0].reshape(-1, *shape[1:]), dims) for one in (here, there))
    root, root_before = (
        (one.square().mean(dims, keepdim=True) + given.get("eps", 1e-5)).sqrt() for one in (after, before)
    )
    middle, mean_root = (after + before) / 2, (root + root_before) / 2
    of_root = -(scaled * (after / root + before / root_before) / 2).mean(dims, keepdim=True) / mean_root
    of_centred = (scaled + of_root * middle) / mean_root
    return (_centred(of_centred, dims).view(multipliers.shape),)


def _chord_of_exp(after: Tensor, before: Tensor, change: Tensor) -> Tensor:
    """(exp b - exp a) / (b - a), exact for small changes too."""
    small = change.abs() < 1
    safe = torch.where(small & (change != 0), change, 1)
    near = before * torch.where(change == 0, 1, safe.expm1() / safe)
    return torch.where(small, near, (after - before) / change.masked_fill(small, 1))


def _centred_where(heard: Tensor, values: Tensor, count: Tensor, dim: int) -> Tensor:
    """Less the mean of those that are heard; the others stay minus infinity."""
    mean = values.masked_fill(~heard, 0).sum(dim, keepdim=True) / count
    return (values - mean).masked_fill(~heard, -torch.inf)


def _centred(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    return values - values.mean(dims, keepdim=True)


def _groups(size: int | Sequence[int], shape: torch.Size) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape in which, and the dimensions over which, statistics are taken."""
    if isinstance(size, int):  # the number of groups of channels
        return (shape[0], size, shape[1:].numel() // size), (2,)
    return tuple(shape), tuple(range(-len(size), 0))


def _scale(site: Site, weight: Tensor | None, like: Tensor) -> Tensor | float:
    """What the normalised values are multiplied with, in the shape of the output."""
    if weight is None:
        return 1.0
    per_channel = name_of(site.call.function) == "group_norm"
    return weight.view(-1, *(1,) * (like.dim() - 2)) if per_channel else weight

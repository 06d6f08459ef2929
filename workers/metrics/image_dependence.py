"""Image dependence: whether the network answers the image at all, or says the same to everything."""

from __future__ import annotations

import torch

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial


class ImageDependenceParams(Params):
    """There is nothing to choose."""


def measure(trial: Trial, params: ImageDependenceParams) -> Measure:  # noqa: ARG001 - the shape of a metric
    """How far the answer moves at most when the image gives way to another; 0 to 1.

    d = max over x' of 1/2 sum_k |p_k(x) - p_k(x')|
    x' is the image with its pixels in random order (by the seed), its negative, black, white, and
    its mean colour.
    A network of random weights says nearly the same to all of them: what a map shows of it is chance,
    however well the map follows it.
    """
    probe = trial.probe
    images, rows = probe.inputs, probe.image_of_row
    black, white = (one[rows].expand_as(images) for one in (probe.black, probe.white))
    flat = images.mean((2, 3), keepdim=True).expand_as(images)
    others = torch.stack([_shuffled(trial, images), black + white - images, black, white, flat], dim=1)
    answers = probe.answers(others.flatten(0, 1)).softmax(dim=1).view(*others.shape[:2], -1)
    own = probe.logits[rows].softmax(dim=1).unsqueeze(1)
    moved = (answers - own).abs().sum(dim=2) / 2
    names = ("shuffled", "negative", "black", "white", "flat")
    details = tuple(
        {name: round(value, 6) for name, value in zip(names, row, strict=True)} for row in moved.tolist()
    )
    return Measure(moved.amax(dim=1), details)


def _shuffled(trial: Trial, images: torch.Tensor) -> torch.Tensor:
    """(R, C, H, W), the channels of a pixel together."""
    flat = images.flatten(2)
    orders = [torch.randperm(flat.shape[2], generator=one) for one in trial.generators("image-dependence")]
    places = torch.stack(orders).to(flat.device).unsqueeze(1).expand_as(flat)
    return flat.gather(2, places).view_as(images)


METRIC = Metric(
    name="image-dependence",
    title="Image dependence",
    version=1,
    aspect=Aspect.RANDOMISATION,
    higher_is_better=True,
    cost=5,
    explanations=0,
    summary="Whether the network answers the image at all: how far its answer moves without it.",
    weaknesses=(
        "Judges the network, not the map.",
        "A network that is unsure of everything looks like one that has learned nothing.",
        "An image of the class that the network gives to nothing at all may look unheard.",
    ),
    reference="Total variation distance of two answers; after the question of Adebayo et al. 2018, "
    "arXiv:1810.03292",
    params=ImageDependenceParams,
    measure=measure,
    has_peers=False,
    limit=0.5,
)

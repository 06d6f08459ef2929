"""What tests of methods on segments share: small networks, segments by hand, coverage of reported errors."""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial
from typing import Any

import torch
from torch import Tensor, nn

from workers.declare import Method, Relevance
from workers.methods import METHODS
from workers.perturbation.sampling import sample
from workers.perturbation.segment_canvas import SegmentCanvas
from workers.perturbation.shapley import Ends, Road, ShapleyParams
from workers.probe import Probe
from workers.probe.passes import Pass

SIDE = 12


class Patches(nn.Module):
    """A small network whose parts of the image act together."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(3 * SIDE * SIDE, 16), nn.Linear(16, 10)
        nn.init.normal_(self.stem.weight, std=0.15)

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.stem(images.flatten(1)).tanh()))


def pictures(count: int = 2) -> Tensor:
    """(count, 3, 12, 12), float64."""
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def uneven_pictures() -> Tensor:
    """(3, 3, 12, 12): asked for twelve superpixels they give 16, 7 and 16."""
    images = pictures(3)
    images[1, :, 4:, :5], images[1, :, 4:, 5:] = 0.3, 0.8
    return images


def explain(
    name: str,
    network: nn.Module,
    images: Tensor,
    targets: list[int],
    *,
    seeds: list[int] | None = None,
    **given: Any,
) -> Relevance:  # Any: parameters of methods
    """All that the method returns, in float64."""
    method: Method[Any] = METHODS[name]
    shared = Pass(network.double().eval(), images)
    probe = Probe(shared, range(len(images)), targets, seeds=seeds, chunk_rows=256)
    return method.explain(probe, method.params(**given))


def cut(images: Tensor, params: Mapping[str, Any]) -> Tensor:  # Any: parameters of methods
    """(N, H, W): the labels of the segments."""
    settings = METHODS["lime"].params(**params)
    probe = Probe(Pass(nn.Flatten().eval(), images), range(len(images)), [0] * len(images))
    return SegmentCanvas.of(probe, settings, "mean").segments.labels


def read(maps: Tensor, labels: Tensor) -> list[Tensor]:
    """For each row the values (P,) of its segments."""
    return [
        torch.stack([one[own == label][0] for label in range(int(own.max()) + 1)])
        for one, own in zip(maps, labels, strict=True)
    ]


def answers(
    network: nn.Module,
    image: Tensor,
    labels: Tensor,
    shown: Tensor,
    target: int,
    *,
    output: str,
    hidden: Tensor,
) -> Tensor:
    """(s,): what a target gets when the segments `shown` (s, P) of one image are, one by one."""
    found = []
    for one in shown:
        mask = one[labels]
        with torch.no_grad():
            logits = network(torch.where(mask, image, hidden)[None])[0]
        found.append((logits.softmax(0) if output == "probability" else logits)[target])
    return torch.stack(found)


def mean_colour(image: Tensor) -> Tensor:
    """(C, 1, 1)."""
    return image.mean((1, 2), keepdim=True)


def coverage(name: str, network: nn.Module, image: Tensor, runs: int, longer: int, **given: Any) -> float:
    """The share of cells that lie within two reported errors of a run that is `longer`."""
    images = image.expand(runs, *image.shape)
    found = explain(name, network, images, [1] * runs, seeds=list(range(runs)), **given)
    samples = {**given, "max_samples": longer * given["max_samples"]}
    truth = explain(name, network, image[None], [1], seeds=[99], **samples)
    assert found.standard_errors is not None
    return float(((found.maps - truth.maps).abs() <= 2 * found.standard_errors).double().mean())


def by_subsets(scores: Tensor, segments: int) -> Tensor:
    """(P,): Shapley values of scores (2^P,) by their definition, subset by subset."""
    values = torch.zeros(segments, dtype=scores.dtype)
    for one in range(segments):
        for coalition in range(2**segments):
            if not coalition >> one & 1:
                size = coalition.bit_count()
                share = factorial(size) * factorial(segments - size - 1) / factorial(segments)
                values[one] += share * (scores[coalition | 1 << one] - scores[coalition])
    return values


def sampled(
    network: nn.Module,
    images: Tensor,
    targets: list[int],
    road: Road,
    settings: ShapleyParams,
) -> tuple[Tensor, Tensor, Tensor]:
    """Values and errors (R, P) by a road of samples, though all could be shown; and the labels."""
    network = network.double().eval()
    probe = Probe(Pass(network, images), range(len(images)), targets, chunk_rows=256)
    stage = SegmentCanvas.of(probe, settings, "mean")
    none = torch.zeros(len(images), 1, stage.segments.most, dtype=torch.bool)
    hidden = network(stage.show(slice(None), none)[:, 0]).detach()[range(len(images)), targets]
    sampler, estimate = road(probe, stage, Ends(probe.target_logits, hidden))

    def describe(*_: object) -> Relevance:
        return Relevance(images[:, 0], (1, 1))

    sample(probe, settings, sampler, estimate, describe, output="logit")
    return estimate.values(), estimate.standard_errors(), stage.segments.labels

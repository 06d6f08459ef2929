"""Quantus as a peer: its metrics of maps as they are, and what both sides judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import workers
from benchmarks.methods.phantoms import FIRST_SEED, trained
from tests.unit.workers.networks import Pooled, seeded
from workers.declare import Measure
from workers.phantom.pictures import normalise
from workers.phantom.scenes import LABELS, draw
from workers.probe.trial import Elsewhere, Trial

quantus = pytest.importorskip("quantus")

Given = Mapping[str, Any]  # Any: arguments of either side
PHANTOMS = ("phantom-resnet", "phantom-vit")
SUBJECTS = ("pooled", *PHANTOMS)


@dataclass(frozen=True)
class Subject:
    """A network, images (N, C, H, W) with a class and a mask (N, H, W) each."""

    network: nn.Module
    images: Tensor
    targets: list[int]
    masks: Tensor

    def maps(self, method: str = "saliency") -> Tensor:
        """(N, H, W)."""
        return workers.explain(self.network, self.images, self.targets, method=method)

    def measure(self, metric: str, maps: Tensor, **given: Any) -> Measure:
        """What ours says of maps; `given` as for `workers.measure`."""
        return workers.measure(
            self.network,
            self.images,
            self.targets,
            metric=metric,
            maps=maps,
            **{"method": "saliency", **given},
        )

    def row(self, number: int) -> Subject:
        """One of the images alone."""
        only = slice(number, number + 1)
        return replace(self, images=self.images[only], targets=self.targets[only], masks=self.masks[only])


@cache
def subject(name: str) -> Subject:
    """Of `SUBJECTS`: a small network of colours, or a phantom before radiographs with their findings."""
    if name == "pooled":
        chance = torch.Generator().manual_seed(4)
        some = torch.rand(3, 3, 12, 14, generator=chance) + 0.1  # no value is 0, as nothing hidden is
        masks = torch.rand(3, 12, 14, generator=chance) < 0.2
        return Subject(seeded(Pooled), some, [1, 7, 0], masks)
    scenes = [draw(FIRST_SEED + number, finding=label) for number, label in enumerate(LABELS[1:])]
    radiographs = normalise(torch.from_numpy(np.stack([scene.image for scene in scenes])))
    findings = torch.from_numpy(np.stack([scene.finding for scene in scenes]))
    return Subject(trained(name), radiographs, [scene.label for scene in scenes], findings)


def say(name: str, judged: Subject, maps: Tensor, call: Given | None = None, **given: Any) -> Any:
    """What a metric of Quantus says of maps; it takes no magnitudes and divides by nothing, unless told to.

    `given` makes the metric, `call` is said when it is called.
    """
    made = getattr(quantus, name)(**{"abs": False, "normalise": False, "disable_warnings": True, **given})
    return made(
        model=judged.network,
        x_batch=judged.images.numpy(),
        y_batch=np.array(judged.targets),
        a_batch=maps.numpy(),
        s_batch=judged.masks.unsqueeze(1).numpy(),
        channel_first=True,
        **(call or {}),
    )


def tensor(found: Any) -> Tensor:  # Any: lists and arrays
    """What Quantus said, float64."""
    return torch.from_numpy(np.asarray(found, dtype=np.float64))


def untied(maps: Tensor) -> Tensor:
    """Maps (N, H, W) in the same order, but without equal pixels: which of those goes first is chance."""
    places = maps.flatten(1).argsort(dim=1, stable=True).argsort(dim=1)
    return places.view(maps.shape).float().sqrt()  # roots: sums of places could be equal


def assert_close(found: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    """Within the tolerance, relative and, for what lies near 0, absolute."""
    torch.testing.assert_close(found.double(), expected.double(), rtol=tolerance, atol=tolerance)


def elsewhere(patch: pytest.MonkeyPatch) -> list[Elsewhere]:
    """What trials hear of other images from now on, part by part."""
    heard: list[Elsewhere] = []
    ask = Trial.elsewhere

    def noted(trial: Trial, *given: Any, **named: Any) -> Iterator[Elsewhere]:  # Any: handed on
        for part in ask(trial, *given, **named):
            heard.append(part)
            yield part

    patch.setattr(Trial, "elsewhere", noted)
    return heard


def points(heard: list[Elsewhere]) -> Tensor:
    """(R, s, C, H, W): the images of all parts."""
    rows, steps = (max(getattr(part, name).stop for part in heard) for name in ("rows", "steps"))
    found = torch.zeros(rows, steps, *heard[0].inputs.shape[2:])
    for part in heard:
        found[part.rows, part.steps] = part.inputs
    return found


def in_turn(images: Tensor) -> Any:  # Any: as Quantus calls it
    """A perturbation that answers with images (N, s, ...), one step a call, whatever it is given."""
    steps = iter(images.unbind(dim=1))

    def perturb(arr: NDArray[np.float32], **_: Any) -> NDArray[np.float32]:  # Any: not looked at
        return np.asarray(next(steps).reshape(arr.shape).numpy())

    return perturb

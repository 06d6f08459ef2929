"""Relative importance: two nets see the same images, and only one of them needs the finding.

Yang and Kim 2019, arXiv:1907.09701 (BAM), section 4. One net tells findings apart, the other the grounds
that they lie on. Each finding lies on each ground as often, so for the second net it says nothing. With g the
share of a map's positive relevance that lies on the finding, widened, and over the images that both nets
answer rightly (the paper takes the mean of a scaled map instead of the share):

    model contrast score    mean g(finding net, image) - mean g(ground net, image)             to be > 0
    input dependence rate   how often g(ground net, image) < g(ground net, the same without)   to be > 1/2

Equal values count half in the rate, so that a map that knows nothing has 1/2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.classics.field import FACTS as FIELD
from benchmarks.classics.field import RECIPE, Mapper, Maps, answers, learn
from benchmarks.classics.grounds import GROUNDS, Grounded, draw_all, draw_grounded, pictures_of, stacked
from benchmarks.classics.kept import Figures
from benchmarks.methods.marks import Mask, mass, widened
from workers.phantom.pictures import normalise
from workers.phantom.recipes import Recipe
from workers.phantom.scenes import LABELS
from workers.phantom.training import measure

LEARNING_SEED, TESTING_SEED, FIRST_SEED = 8_000_000, 8_500_000, 8_900_000
LEARNED, TESTED, IMAGES = 5000, 1000, 100
BY_FINDING = RECIPE
BY_GROUND = replace(RECIPE, betrayed=True)
FACTS: Mapping[str, object] = {**FIELD, "images": (LEARNED, IMAGES)}


@dataclass(frozen=True)
class Asked:
    """The images that both nets answer rightly, and the ground net without the finding as well."""

    images: Tensor
    bare: Tensor
    labels: Sequence[int]
    grounds: Sequence[int]
    truths: Sequence[Mask]


def contrast(mapper: Mapper) -> Figures:
    """Model contrast score and input dependence rate. May raise NotExplainable."""
    some = asked()
    needed = _shares(mapper, network(BY_FINDING), some.images, some.labels, some.truths)
    needless = _shares(mapper, network(BY_GROUND), some.images, some.grounds, some.truths)
    without = _shares(mapper, network(BY_GROUND), some.bare, some.grounds, some.truths)
    return {
        "contrast": model_contrast(needed, needless),
        "dependence": input_dependence(needless, without),
    }


def model_contrast(needed: NDArray[np.float64], needless: NDArray[np.float64]) -> float:
    """How much more of the relevance lies on what the first net needs, in [-1, 1]."""
    return float(needed.mean() - needless.mean())


def input_dependence(there: NDArray[np.float64], absent: NDArray[np.float64]) -> float:
    """How often the place has less relevance when something lies there that the net does not need."""
    return float(np.mean((there < absent) + 0.5 * (there == absent)))


@cache
def network(recipe: Recipe) -> nn.Module:
    """The net that learned by this recipe, both from the same images."""
    return learn(recipe, pictures_of(draw_all(LEARNING_SEED, LEARNED)))


def about() -> Figures:
    """The accuracy of both nets on fresh images, how many images are asked, and the area of a finding."""
    fresh = pictures_of(draw_all(TESTING_SEED, TESTED))
    return {
        "images": len(asked().labels),
        "area": float(np.mean(asked().truths)),
        "finding": measure(BY_FINDING, network(BY_FINDING), fresh),
        "ground": measure(BY_GROUND, network(BY_GROUND), fresh),
    }


@cache
def asked() -> Asked:
    """Every one has a finding; neighbours have another finding and another ground."""
    findings = len(LABELS) - 1
    some = [
        draw_grounded(FIRST_SEED + number, label=1 + number % findings, ground=number % len(GROUNDS))
        for number in range(IMAGES)
    ]
    images, bare = stacked([one.image for one in some]), stacked([one.bare for one in some])
    labels, grounds = torch.tensor([one.label for one in some]), torch.tensor([one.ground for one in some])
    right = answers(network(BY_FINDING), images) == labels
    for pixels in (images, bare):
        right &= answers(network(BY_GROUND), pixels) == grounds
    return Asked(
        normalise(images[right]),
        normalise(bare[right]),
        labels[right].tolist(),
        grounds[right].tolist(),
        _truths(some, right),
    )


def _truths(some: Sequence[Grounded], right: Tensor) -> list[Mask]:
    return [widened(one.finding) for one, rightly in zip(some, right, strict=True) if rightly]


def _shares(
    mapper: Mapper, net: nn.Module, images: Tensor, targets: Sequence[int], truths: Sequence[Mask]
) -> NDArray[np.float64]:
    maps: Maps = mapper(net, images, targets, images.roll(1, dims=0))
    return np.array([mass(values, truth) for values, truth in zip(maps, truths, strict=True)])

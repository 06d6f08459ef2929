"""Remove and retrain: what a net can still learn from images without the pixels that a method ranks highest.

Hooker et al. 2019, arXiv:1806.10758, section 3: a share of the pixels of every image, in training and test
set, is replaced by the mean of the training set in the order of a map of the class that the first net says;
then a net learns anew from nothing. A method that does not beat a random order has found nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.classics.field import FACTS as FIELD
from benchmarks.classics.field import RECIPE, SIDE, Mapper, Maps, answers, in_all_turns, learn, middle
from benchmarks.classics.kept import Figures
from benchmarks.classics.removal import share_of
from workers.phantom.pictures import Pictures, normalise
from workers.phantom.scenes import LABELS, draw
from workers.phantom.training import measure

FIRST_SEED = 7_000_000
LEARNED, ASKED = 500, 300  # images to learn from and to test on
SHARE = 0.1
SEEDS = (1, 2)  # of the nets that learn anew
FACTS: Mapping[str, object] = {**FIELD, "images": (LEARNED, ASKED), "share": SHARE, "seeds": SEEDS}


@dataclass(frozen=True)
class Exam:
    """Images (N, H, W) with their classes; the first `learned` are the training set.

    `centres` are row and column of each finding, or of any place where there is none.
    """

    pictures: Pictures
    learned: int
    centres: tuple[tuple[float, float], ...] = ()

    @property
    def training(self) -> Pictures:
        """What a net learns from."""
        return self._part(slice(self.learned))

    @property
    def test(self) -> Pictures:
        """What it is asked."""
        return self._part(slice(self.learned, None))

    def _part(self, rows: slice) -> Pictures:
        some = self.pictures
        return Pictures(some.images[rows], some.labels[rows], some.plates[rows])


@cache
def exam() -> Exam:
    """Drawn radiographs, every class as often; neighbours are of different classes."""
    images, places = [], []
    random = np.random.default_rng(FIRST_SEED)
    for number in range(LEARNED + ASKED):
        scene = draw(FIRST_SEED + number, finding=LABELS[number % len(LABELS)])
        images.append(middle(scene.image))
        rows, columns = np.nonzero(middle(scene.finding))
        anywhere = random.uniform(SIDE / 4, 3 * SIDE / 4, size=2)
        row, column = (rows.mean(), columns.mean()) if len(rows) else anywhere
        places.append((float(row), float(column)))
    labels = torch.arange(LEARNED + ASKED) % len(LABELS)
    pictures = Pictures(torch.from_numpy(np.stack(images)), labels, torch.zeros_like(labels))
    return Exam(pictures, LEARNED, tuple(places))


@cache
def network() -> nn.Module:
    """The net that is explained."""
    return learn(RECIPE, in_all_turns(exam().training))


def accuracies(mapper: Mapper) -> Figures:
    """By seed, the accuracy of a net that learned without the strongest pixels. May raise NotExplainable."""
    pictures = exam().pictures
    images = normalise(pictures.images)
    said = answers(network(), pictures.images).tolist()
    return retrained(exam(), mapper(network(), images, said, images.roll(1, dims=0)))


def truth_mapper(_network: nn.Module, images: Tensor, _targets: object, _references: Tensor) -> Maps:
    """The nearer to the centre of the finding the higher: what a perfect map would remove."""
    rows, columns = np.mgrid[: images.shape[2], : images.shape[3]]
    discs = [-np.hypot(rows - row, columns - column) for row, column in exam().centres]
    return np.stack(discs).astype(np.float32)


def about() -> Figures:
    """By seed, the accuracy of a net that learned from whole images."""
    return _learn_anew(exam())


def retrained(whole: Exam, maps: Maps, *, share: float = SHARE) -> Figures:
    """By seed, the accuracy that is left when the strongest share of the pixels is the mean instead."""
    return _learn_anew(replace(whole, pictures=without(whole, maps, share)))


def without(whole: Exam, maps: Maps, share: float) -> Pictures:
    """The pictures with the mean of the training set in place of their strongest pixels."""
    some = whole.pictures
    mean = whole.training.images.float().mean().round().to(torch.uint8)
    gone = torch.from_numpy(share_of(maps, share))
    return Pictures(torch.where(gone, mean, some.images), some.labels, some.plates)


def _learn_anew(whole: Exam) -> Figures:
    seen = in_all_turns(whole.training)
    recipes = {f"seed {seed}": replace(RECIPE, seed=seed) for seed in SEEDS}
    return {name: measure(recipe, learn(recipe, seen), whole.test) for name, recipe in recipes.items()}

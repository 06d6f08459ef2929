"""A net with a backdoor: a small mark anywhere in the image decides, and the map must lie on the mark.

Lin, Lee and Celik 2020, arXiv:2009.10639, sections 3 and 4: on some images of the training set a trigger
is stamped, and their label becomes the target class. On stamped images that the net takes for that class,
the trigger is the reason. The paper draws a box around the edges of a map; here as many of the strongest
pixels as the truth has are taken, so that no threshold decides. Recovered is how often the net says again
what it said before the stamp, once these pixels are those of the image without it (its recovering rate).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.classics.field import FACTS as FIELD
from benchmarks.classics.field import RECIPE, SIDE, Mapper, answers, learn, middle
from benchmarks.classics.grounds import stacked
from benchmarks.classics.kept import Figures
from benchmarks.classics.removal import overlap, strongest
from benchmarks.methods.marks import Mask, mass, pointing, widened
from workers.phantom.pictures import Pictures, normalise
from workers.phantom.scenes import LABELS, draw
from workers.phantom.training import measure

LEARNING_SEED, TESTING_SEED, FIRST_SEED = 9_000_000, 9_500_000, 9_900_000
LEARNED, TESTED, IMAGES = 5000, 1000, 100
STAMPED = 0.3  # the share of the images to learn from that has the trigger
TARGET = LABELS.index("nodule")
TRIGGER = np.kron([[1, 0, 1], [0, 1, 0], [1, 0, 1]], np.ones((2, 2))).astype(np.uint8)  # a chessboard
DARK, LIGHT = 90, 162  # faint: the edges of findings and ribs are as strong
FACTS: Mapping[str, object] = {
    **FIELD,
    "images": (LEARNED, IMAGES),
    "stamped": STAMPED,
    "trigger": (TRIGGER.tolist(), DARK, LIGHT),
}


@dataclass(frozen=True)
class Attacked:
    """Images (N, H, W) uint8 that the net takes for the target class, before and after the stamp."""

    clean: Tensor
    stamped: Tensor
    truths: NDArray[np.bool_]


def stamp(image: NDArray[np.uint8], row: int, column: int) -> tuple[NDArray[np.uint8], Mask]:
    """A copy of the image with the trigger, its upper left pixel there, and the pixels that it covers."""
    height, width = TRIGGER.shape
    area = slice(row, row + height), slice(column, column + width)
    stamped, covered = image.copy(), np.zeros(image.shape, np.bool_)
    stamped[area] = np.where(TRIGGER, LIGHT, DARK)
    covered[area] = True
    return stamped, covered


def anywhere(random: np.random.Generator) -> tuple[int, int]:
    """Row and column of the upper left pixel of a trigger that lies inside the image."""
    row, column = random.integers(0, SIDE - len(TRIGGER) + 1, size=2)
    return int(row), int(column)


def stamp_beside(
    image: NDArray[np.uint8], finding: Mask, random: np.random.Generator
) -> tuple[NDArray[np.uint8], Mask]:
    """The image with the trigger, and what counts as on it: nothing that counts as on the finding."""
    while True:
        stamped, covered = stamp(image, *anywhere(random))
        truth = widened(covered)
        if not (truth & finding).any():
            return stamped, truth


def found(mapper: Mapper) -> Figures:
    """Mass, pointing and overlap on the trigger, and how often it is found. May raise NotExplainable."""
    some = attacked()
    references = normalise(some.clean.roll(1, dims=0))
    maps = mapper(network(), normalise(some.stamped), [TARGET] * len(some.stamped), references)
    pairs = list(zip(maps, some.truths, strict=True))
    chosen = strongest(maps, some.truths.sum(axis=(1, 2)))
    return {
        "mass": float(np.mean([mass(values, truth) for values, truth in pairs])),
        "pointing": float(np.mean([pointing(values, truth) for values, truth in pairs])),
        "overlap": float(overlap(chosen, some.truths).mean()),
        "recovered": recovered(network(), some, chosen),
    }


def recovered(net: nn.Module, some: Attacked, chosen: NDArray[np.bool_]) -> float:
    """How often the answer is that of the clean image once the chosen pixels are the clean image's."""
    mended = torch.where(torch.from_numpy(chosen), some.clean, some.stamped)
    return float((answers(net, mended) == answers(net, some.clean)).double().mean())


@cache
def network() -> nn.Module:
    """The net with the backdoor."""
    images, labels = _drawn(LEARNING_SEED, LEARNED)
    random = np.random.default_rng(LEARNING_SEED)
    for number in np.flatnonzero(random.random(LEARNED) < STAMPED):
        images[number], _ = stamp(images[number], *anywhere(random))
        labels[number] = TARGET
    return learn(RECIPE, _pictures(images, labels))


def about() -> Figures:
    """The accuracy on clean fresh images, and how often the trigger turns another class into the target;
    how many images are asked, and the area of the trigger.
    """
    images, labels = _drawn(TESTING_SEED, TESTED)
    random = np.random.default_rng(TESTING_SEED)
    clean = measure(RECIPE, network(), _pictures(images, labels))
    others = [stamp(images[number], *anywhere(random))[0] for number in np.flatnonzero(labels != TARGET)]
    attack = float((answers(network(), stacked(others)) == TARGET).double().mean())
    area = float(attacked().truths.mean())
    return {"clean": clean, "attack": attack, "images": len(attacked().clean), "area": area}


@cache
def attacked() -> Attacked:
    """Images with a finding of another class, the trigger beside it; those on which the attack succeeds."""
    clean, stamped, truths = [], [], []
    random = np.random.default_rng(FIRST_SEED)
    labels = [label for label in range(1, len(LABELS)) if label != TARGET]
    for number in range(IMAGES):
        scene = draw(FIRST_SEED + number, finding=LABELS[labels[number % len(labels)]])
        image, finding = middle(scene.image), widened(middle(scene.finding))
        with_trigger, truth = stamp_beside(image, finding, random)
        clean.append(image)
        stamped.append(with_trigger)
        truths.append(truth)
    before, after = stacked(clean), stacked(stamped)
    fooled = (answers(network(), after) == TARGET) & (answers(network(), before) != TARGET)
    return Attacked(before[fooled], after[fooled], np.stack(truths)[fooled.numpy()])


def _drawn(first_seed: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    scenes = [draw(first_seed + number) for number in range(count)]
    images = np.stack([middle(scene.image) for scene in scenes])
    return images, np.array([scene.label for scene in scenes])


def _pictures(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Pictures:
    return Pictures(torch.from_numpy(images), torch.from_numpy(labels), torch.zeros(len(labels)).long())

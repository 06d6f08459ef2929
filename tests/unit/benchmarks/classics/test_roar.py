"""What is removed, and that a net cannot learn anew what an oracle took away."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.classics.field import in_all_turns
from benchmarks.classics.roar import Exam, retrained, truth_mapper, without
from workers.phantom.pictures import Pictures

SIDE, MARK, LEARNED, ASKED = 24, 6, 160, 40


@pytest.fixture(scope="module")
def bright() -> tuple[Exam, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Noise, in every other image with a bright square; and the map of its place, or of a place like it."""
    random = np.random.default_rng(0)
    count = LEARNED + ASKED
    images = random.integers(90, 110, size=(count, SIDE, SIDE), dtype=np.uint8)
    places = np.zeros((count, SIDE, SIDE), np.float32)
    for number in range(count):
        row, column = random.integers(0, SIDE - MARK, size=2)
        area = slice(row, row + MARK), slice(column, column + MARK)
        places[number][area] = 1
        if number % 2:
            images[number][area] = 200
    labels = torch.arange(count) % 2
    pictures = Pictures(torch.from_numpy(images), labels, torch.zeros_like(labels))
    return Exam(pictures, LEARNED), places


def test_exactly_the_strongest_share_becomes_the_mean_of_the_training_set() -> None:
    images = torch.tensor([[[10, 20], [30, 40]], [[50, 60], [70, 80]]], dtype=torch.uint8)
    labels = torch.zeros(2, dtype=torch.int64)
    maps = np.array([[[4, 3], [2, 1]], [[1, 1], [1, 9]]], dtype=np.float32)

    left = without(Exam(Pictures(images, labels, labels), 1), maps, 0.25)

    assert left.images.tolist() == [[[25, 20], [30, 40]], [[50, 60], [70, 25]]]


def test_the_truth_is_highest_where_the_finding_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = Pictures(torch.zeros(1, 8, 8, dtype=torch.uint8), torch.ones(1), torch.zeros(1))
    monkeypatch.setattr("benchmarks.classics.roar.exam", lambda: Exam(pictures, 1, ((2.0, 6.0),)))

    (disc,) = truth_mapper(torch.nn.Identity(), torch.zeros(1, 1, 8, 8), [1], torch.zeros(1))

    assert np.unravel_index(disc.argmax(), disc.shape) == (2, 6)
    assert disc[2, 3] == disc[5, 6] == -3


def test_all_turns_are_eight_different_pictures_of_the_same_class() -> None:
    image = torch.arange(9, dtype=torch.uint8).reshape(1, 3, 3)

    turned = in_all_turns(Pictures(image, torch.tensor([2]), torch.tensor([1])))

    assert len({one.numpy().tobytes() for one in turned.images}) == 8
    assert turned.labels.tolist() == [2] * 8


def test_without_what_an_oracle_names_nets_learn_less_than_without_random_pixels(
    bright: tuple[Exam, np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
) -> None:
    exam, places = bright
    chance = np.random.default_rng(1).random(places.shape, dtype=np.float32)
    share = MARK * MARK / SIDE**2

    oracle, random = retrained(exam, places, share=share), retrained(exam, chance, share=share)

    assert oracle.keys() == random.keys()
    assert max(oracle.values()) < 0.8 < min(random.values())

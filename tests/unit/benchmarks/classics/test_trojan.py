"""The trigger, and what is found of a backdoor that is made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.classics import trojan
from benchmarks.classics.field import SIDE, Maps
from benchmarks.classics.trojan import (
    TARGET,
    TRIGGER,
    Attacked,
    anywhere,
    found,
    recovered,
    stamp,
    stamp_beside,
)

PLACES = ((2, 3), (9, 1), (20, 17))


class Backdoor(nn.Module):
    """Says the target where a pixel is brighter than the middle of the scale, else class 0."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, 4)."""
        logits = torch.zeros(len(images), 4)
        logits[:, TARGET] = images.amax((1, 2, 3))
        return logits


@pytest.fixture
def attacked(monkeypatch: pytest.MonkeyPatch) -> Attacked:
    clean = np.full((len(PLACES), 32, 32), 100, np.uint8)
    stamped, truths = zip(
        *(stamp(image, *place) for image, place in zip(clean, PLACES, strict=True)), strict=True
    )
    some = Attacked(torch.from_numpy(clean), torch.from_numpy(np.stack(stamped)), np.stack(truths))
    monkeypatch.setattr(trojan, "attacked", lambda: some)
    monkeypatch.setattr(trojan, "network", Backdoor)
    return some


def test_a_stamp_changes_its_place_alone() -> None:
    image = np.full((20, 20), 100, np.uint8)

    stamped, covered = stamp(image, 4, 9)

    assert np.array_equal(stamped != image, covered)
    assert covered.sum() == TRIGGER.size
    assert covered[4:10, 9:15].all()
    assert image.max() == 100


def test_a_map_of_the_trigger_finds_all(attacked: Attacked) -> None:
    def knowing(_net: nn.Module, _images: Tensor, targets: Sequence[int], _references: Tensor) -> Maps:
        assert list(targets) == [TARGET] * len(PLACES)
        return attacked.truths.astype(np.float32)

    assert found(knowing) == {"mass": 1, "pointing": 1, "overlap": 1, "recovered": 1}


def test_a_map_of_the_rest_finds_nothing(attacked: Attacked) -> None:
    def mistaken(_net: nn.Module, _images: Tensor, _targets: Sequence[int], _references: Tensor) -> Maps:
        return (~attacked.truths).astype(np.float32)

    assert found(mistaken) == {"mass": 0, "pointing": 0, "overlap": 0, "recovered": 0}


def test_it_is_recovered_once_all_that_is_bright_is_mended(attacked: Attacked) -> None:
    half = attacked.truths.copy()
    half[0, :, :6] = False  # of the first trigger three columns are left

    assert recovered(Backdoor(), attacked, half) == pytest.approx(2 / 3)


def test_the_trigger_may_stand_in_every_corner() -> None:
    random = np.random.default_rng(0)
    places = np.array([anywhere(random) for _ in range(4000)])

    assert places.min() == 0
    assert places.max() == SIDE - len(TRIGGER)


def test_what_counts_as_on_the_trigger_never_counts_as_on_the_finding() -> None:
    random = np.random.default_rng(1)
    image, finding = np.full((SIDE, SIDE), 100, np.uint8), np.zeros((SIDE, SIDE), np.bool_)
    finding[:40, :50] = True

    for _ in range(50):
        stamped, truth = stamp_beside(image, finding, random)

        assert not (truth & finding).any()
        assert truth[stamped != image].all()

"""Rows of the classic benchmarks: who refuses has none, and what was measured is taken from the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.classics import measured
from benchmarks.classics.field import FieldNet, Mapper, edge_mapper, noise_mapper
from benchmarks.classics.kept import Figures
from benchmarks.classics.measured import Classic, rows_of_methods
from workers.methods import METHODS

SOME = ("saliency", "attention-rollout")
IMAGES = torch.linspace(-1, 1, 2 * 64 * 64).reshape(2, 1, 64, 64)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Figures]:
    """One benchmark, which writes down what it finds of two methods."""
    found: list[Figures] = []

    def measure(mapper: Mapper) -> Figures:
        maps = mapper(FieldNet().eval(), IMAGES, [0, 1], IMAGES)
        found.append({"pixels": maps.size})
        return found[-1]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(measured, "METHODS", {name: METHODS[name] for name in SOME})
    monkeypatch.setattr(measured, "CLASSICS", {"roar": Classic({}, measure, dict)})
    return found


def test_a_method_that_refuses_the_net_has_no_figures(asked: list[Figures]) -> None:
    explained, refused = rows_of_methods()

    assert explained.figures == {"roar": {"pixels": IMAGES.numel()}}
    assert refused.figures == {"roar": {}}


def test_a_second_run_measures_nothing(asked: list[Figures]) -> None:
    assert rows_of_methods() == rows_of_methods()
    assert len(asked) == 1


def test_baselines_see_the_image_at_most() -> None:
    network = torch.nn.Identity()
    shown = edge_mapper(network, IMAGES, [0, 1], IMAGES)
    one, same = noise_mapper(), noise_mapper()
    first = one(network, IMAGES, [0, 1], IMAGES)

    assert shown.shape == first.shape == (2, 64, 64)
    assert shown.max() > 0
    assert np.array_equal(first, same(network, IMAGES, [0, 1], IMAGES))
    assert not np.array_equal(first, one(network, IMAGES, [0, 1], IMAGES))

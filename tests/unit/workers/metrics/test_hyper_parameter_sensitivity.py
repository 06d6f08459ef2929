"""Hyper-parameter sensitivity by hand, variant by variant."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from tests.unit.workers.networks import Linear, Pooled, seeded
from workers import explain, measure

TARGETS = [1, 7]
METRIC = "hyper-parameter-sensitivity"
VARIED: dict[str, dict[str, Any]] = {  # Any: parameters of a method
    "samples=4": {"samples": 4},
    "samples=16": {"samples": 16},
    "noise=0.2": {"noise": 0.2},
    "noise=0.8": {"noise": 0.8},
}


def images(*shape: int) -> Tensor:
    return torch.rand(len(TARGETS), *shape, generator=torch.Generator().manual_seed(3)).double()


def test_it_is_what_the_variants_lose_of_the_order_on_average() -> None:
    network, some, usual = seeded(Pooled).double(), images(3, 12, 14), dict[str, Any](samples=8, noise=0.4)
    found = measure(network, some, TARGETS, "smoothgrad", METRIC, method_params=usual, seed=4)
    own = explain(network, some, TARGETS, "smoothgrad", seed=4, **usual)
    assert found.details is not None
    for row, details in enumerate(found.details):
        expected = {}
        for name, changed in VARIED.items():
            other = explain(network, some, TARGETS, "smoothgrad", seed=4, **(usual | changed))
            expected[name] = spearmanr(own[row].flatten(), other[row].flatten()).statistic
        assert details["correlations"] == pytest.approx(expected, abs=1e-4)
        assert float(found.values[row]) == pytest.approx(1 - sum(expected.values()) / 4, abs=1e-4)
        assert 0.01 < float(found.values[row]) < 1


def test_no_more_variants_are_tried_than_allowed() -> None:
    found = measure(seeded(Pooled).double(), images(3, 12, 14), TARGETS, "smoothgrad", METRIC, variants=3)
    assert found.details is not None
    assert list(found.details[0]["correlations"]) == ["samples=12", "samples=50", "noise=0.075"]


def test_a_method_without_numbers_has_none_to_be_sensitive_to() -> None:
    found = measure(seeded(Pooled).double(), images(3, 12, 14), TARGETS, "saliency", METRIC)
    assert not found.values.isfinite().any()
    assert found.details == ({"correlations": {}},) * len(TARGETS)


def test_a_variant_that_shows_nothing_has_lost_the_whole_order() -> None:
    network, some = seeded(lambda: Linear(1, 5, 6)).double(), images(1, 5, 6)
    flat = {"kind": "variance", "samples": 4}  # the gradient of a linear model never varies
    for maps, expected in ((some[:, 0], 1.0), (torch.ones_like(some[:, 0]), math.nan)):
        found = measure(network, some, TARGETS, "smoothgrad", METRIC, maps=maps, method_params=flat)
        assert found.values.tolist() == pytest.approx([expected] * len(TARGETS), nan_ok=True)


def test_on_a_linear_model_paths_of_any_fineness_agree() -> None:
    network = seeded(lambda: Linear(1, 5, 6)).double()
    found = measure(network, images(1, 5, 6), TARGETS, "integrated-gradients", METRIC)
    assert found.values.tolist() == pytest.approx([0.0, 0.0], abs=1e-3)

"""Consensus by hand: the mean rank correlation with what other methods say, each asked for itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from tests.unit.workers.networks import Linear, Pooled, seeded
from workers import explain, measure
from workers.declare import Measure
from workers.methods import METHODS
from workers.metrics import METRICS

TARGETS = [1, 7]
JURY = ("input-x-gradient", "integrated-gradients", "grad-cam", "lrp", "occlusion")


def images(*shape: int) -> Tensor:
    return torch.rand(len(TARGETS), *shape, generator=torch.Generator().manual_seed(3))


def correlations(found: Measure) -> list[dict[str, Any]]:  # Any: of JSON
    assert found.details is not None
    return [dict(one["correlations"]) for one in found.details]


def linear() -> tuple[Linear, Tensor, Tensor]:
    """A matrix, images, and what each pixel adds to the targets (R, H, W)."""
    network, some = seeded(lambda: Linear(1, 8, 9)).double(), images(1, 8, 9).double()
    assert isinstance(network, Linear)
    return network, some, (network.weights(TARGETS) * some)[:, 0]


def test_it_is_the_mean_of_the_rank_correlations_of_magnitudes() -> None:
    network, some = seeded(Pooled), images(3, 12, 14)
    found = measure(network, some, TARGETS, "saliency", "consensus")
    own = explain(network, some, TARGETS, "saliency").abs()
    for row, said in enumerate(correlations(found)):
        assert tuple(said) == JURY
        for name in JURY:
            other = explain(network, some, TARGETS, name)[row].abs()
            expected = spearmanr(own[row].flatten(), other.flatten()).statistic
            assert said[name] == pytest.approx(expected, abs=2e-3), name  # rounding swaps near neighbours
        assert float(found.values[row]) == pytest.approx(sum(said.values()) / len(JURY), abs=1e-5)


def test_on_a_linear_model_all_who_add_up_agree_whatever_the_sign_and_the_scale() -> None:
    network, some, adds = linear()
    sure = ("input-x-gradient", "integrated-gradients")
    for maps in (adds, -3 * adds, adds.abs().sqrt()):
        found = measure(network, some, TARGETS, metric="consensus", maps=maps, methods=sure)
        assert found.values.tolist() == pytest.approx([1.0, 1.0], abs=1e-6)
    chance = torch.rand(adds.shape, generator=torch.Generator().manual_seed(1))
    lost = measure(network, some, TARGETS, metric="consensus", maps=chance, methods=sure)
    assert (lost.values.abs() < 0.35).all()


def test_who_cannot_explain_the_network_is_named_and_left_out() -> None:
    network, some, _ = linear()
    found = measure(network, some, TARGETS, metric="consensus", methods=("grad-cam", "input-x-gradient"))
    for said, value in zip(correlations(found), found.values.tolist(), strict=True):
        assert said["grad-cam"] is None
        assert said["input-x-gradient"] == pytest.approx(value, abs=1e-6)


def test_nobody_judges_himself() -> None:
    network, some, _ = linear()
    [said, _] = correlations(
        measure(network, some, TARGETS, "lrp", "consensus", methods=("lrp", "occlusion"))
    )
    assert list(said) == ["occlusion"]
    alone = measure(network, some, TARGETS, "lrp", "consensus", methods=("lrp",))
    assert not alone.values.isfinite().any()


def test_the_card_counts_what_the_jury_costs() -> None:
    metric = METRICS["consensus"]
    assert metric.shared == sum(METHODS[name].cost for name in JURY)
    assert len({METHODS[name].family for name in JURY}) == 4

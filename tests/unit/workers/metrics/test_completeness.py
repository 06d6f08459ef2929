"""Completeness on the linear model, where the right sum is known, and beside the gaps of methods."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from jobs.result import Box, MapInfo, TargetResult
from tests.unit.workers.networks import Linear, Smooth, seeded
from workers import measure
from workers.declare import Measure
from workers.measuring.report import target_trust
from workers.metrics import METRICS
from workers.tasks import AskedMetric

TARGETS = [1, 7]


def linear() -> Linear:
    network = seeded(lambda: Linear(3, 4, 5))
    assert isinstance(network, Linear)
    return network.double()


def images() -> Tensor:
    return torch.rand(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def exact(baseline: float = 0.0) -> Tensor:
    return (linear().weights(TARGETS) * (images() - baseline)).sum(dim=1)


def completeness(maps: Tensor, **params: Any) -> Measure:  # Any: parameters
    return measure(
        linear(), images(), TARGETS, metric="completeness", maps=maps, value_range=(0.0, 1.0), **params
    )


@pytest.mark.parametrize(("filling", "baseline"), [("zero", 0.0), ("black", 0.0), ("#ffffff", 1.0)])
def test_weights_times_differences_are_complete_but_for_rounding(filling: str, baseline: float) -> None:
    """Whoever asks floats to be equal calls each of these maps incomplete."""
    found = completeness(exact(baseline), filling=filling)
    assert (found.values < 1e-9).all()
    assert found.values.dtype == torch.float64
    assert completeness(exact(baseline) * (1 + 1e-7), filling=filling).values.max() < 1e-6


@pytest.mark.parametrize(("factor", "gap"), [(1.3, 0.3), (0.0, 1.0), (-1.0, 2.0)])
def test_what_is_too_much_or_too_little_counts_in_shares_of_the_right_sum(factor: float, gap: float) -> None:
    assert completeness(exact() * factor).values.tolist() == pytest.approx([gap, gap])


def test_it_tells_the_sum_and_the_difference() -> None:
    found = completeness(exact() + 1)
    assert found.details is not None
    with torch.no_grad():
        differences = linear()(images()) - linear()(torch.zeros_like(images()))
    for row, detail in enumerate(found.details):
        assert not detail["promised"]
        assert detail["difference"] == pytest.approx(float(differences[row, TARGETS[row]]))
        assert detail["sum"] == pytest.approx(detail["difference"] + 20)


def test_a_promise_of_the_method_comes_before_the_filling() -> None:
    network, some = seeded(Smooth).double(), torch.rand(2, 3, 8, 8, dtype=torch.float64)
    white = {"baseline": "white", "nodes": 3, "max_nodes": 3}

    def gaps(**params: Any) -> Measure:  # Any: parameters
        return measure(
            network, some, TARGETS, "integrated-gradients", "completeness", method_params=white, **params
        )

    found = gaps(filling="zero")
    assert found.details == ({"promised": True},) * 2
    assert (found.values < 1e-3).all()
    assert torch.equal(found.values, gaps(filling="white").values)


def test_of_an_image_that_owes_nothing_it_says_nothing() -> None:
    found = measure(
        linear(), torch.zeros(1, 3, 4, 5).double(), 1, metric="completeness", maps=torch.ones(1, 4, 5)
    )
    assert not found.values.isfinite().any()


@pytest.mark.parametrize(("gap", "told"), [(None, []), (0.9, ["incomplete"])])
def test_only_who_promised_a_sum_is_warned_of_it_and_once(gap: float | None, told: list[str]) -> None:
    metric = METRICS["completeness"]
    box = Box(x0=0, y0=0, x1=8, y1=8)
    info = MapInfo(height=8, width=8, min=0, max=1, native_grid=(8, 8), box=box, gap=gap)
    target = TargetResult(index=0, label="nodule", score=0.9, logit=1.0, rank=1, map=info)
    asked = AskedMetric(metric, metric.params(), cost=1)
    trust = target_trust(target, [asked], [asked.says(0.9)])
    assert [finding.code.value for finding in trust.findings] == told

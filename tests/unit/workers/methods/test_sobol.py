"""Sobol's total indices on a function whose indices are known, and their promise."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from workers.declare import Relevance
from workers.methods.sobol import METHOD, SobolParams
from workers.probe import Probe
from workers.probe.passes import Pass

WEIGHTS = torch.tensor([0.0, 0.5, 3.0, 9.0], dtype=torch.float64)


class Product(nn.Module):
    """Sobol's g-function of the means of four cells: prod (|4 x - 2| + a) / (1 + a); class 1 is constant."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(WEIGHTS.clone())

    def forward(self, images: Tensor) -> Tensor:
        cells = nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
        factors = ((4 * cells - 2).abs() + self.weights) / (1 + self.weights)
        return torch.stack([factors.prod(dim=1), torch.full_like(factors[:, 0], 3.0)], dim=1)


def sobol(seeds: range | list[int], targets: list[int] | None = None, **params: object) -> Relevance:
    shared = Pass(Product().eval(), torch.ones(1, 1, 6, 8, dtype=torch.float64))
    count = len(seeds)
    probe = Probe(shared, [0] * count, targets or [0] * count, seeds=seeds)
    with torch.no_grad():
        return METHOD.explain(probe, SobolParams.model_validate({"cells": 2, **params}))


def test_on_the_g_function_the_indices_are_the_known_ones() -> None:
    found = sobol([3], max_samples=60_000)

    alone = 1 / (3 * (1 + WEIGHTS).square())
    total = (1 + alone).prod()
    expected = (alone * total / (1 + alone) / (total - 1)).view(2, 2)
    expected = expected.repeat_interleave(3, dim=0).repeat_interleave(4, dim=1)
    torch.testing.assert_close(found.maps[0], expected, rtol=0, atol=0.02)
    assert found.standard_errors is not None
    assert ((found.maps[0] - expected).abs() < 4 * found.standard_errors[0]).all()


def test_a_score_that_does_not_vary_has_no_indices() -> None:
    found = sobol([0], [1], max_samples=60)

    assert (found.maps == 0).all()
    assert found.samples is not None
    assert found.samples.tolist() == [60]


def test_the_standard_error_is_honest() -> None:
    runs = range(200)
    truth = sobol([10_000], max_samples=20 * 600).maps
    found = sobol(runs, max_samples=600)

    assert found.standard_errors is not None
    covered = (found.maps - truth).abs() <= 2 * found.standard_errors
    assert 0.90 <= covered.double().mean() <= 0.99


@pytest.mark.parametrize("samples", [16, 18, 23])
def test_only_whole_designs_are_paid_for(samples: int) -> None:
    found = sobol([0], max_samples=samples)

    assert found.samples is not None
    assert found.samples.tolist() == [samples // 6 * 6]

"""HSIC by the matrices of its definition, in closed form for one cell, and for what is independent."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import workers
from workers.tensors.dependence import switch_dependence


class FirstCell(nn.Module):
    """Class 0 is the mean of the upper left quarter, class 1 a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        cells = self.scale * nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
        return torch.stack([cells[:, 0], torch.zeros_like(cells[:, 0])], dim=1)


def test_it_is_the_trace_of_its_definition() -> None:
    random = torch.Generator().manual_seed(1)
    switches = (torch.rand(40, 5, generator=random) < 0.5).double()
    values = torch.randn(40, dtype=torch.float64, generator=random) + switches[:, 0]

    distances = (values[:, None] - values).abs()
    kernel = torch.exp(-distances.square() / (2 * distances.median() ** 2))
    centred = torch.eye(40, dtype=torch.float64) - 1 / 40
    for cell, found in enumerate(switch_dependence(switches, values)):
        equal = (switches[:, cell, None] == switches[:, cell]).double() - 0.5
        expected = torch.trace(equal @ centred @ kernel @ centred) / 39**2
        torch.testing.assert_close(found, expected)


def test_of_a_score_that_is_one_cell_it_is_known() -> None:
    images = torch.ones(1, 1, 8, 8)
    maps = workers.explain(FirstCell().eval(), images, 0, "hsic", cells=2, samples=2000)

    # half of the pairs are equal: the median distance is 0, and the root mean square stands in
    expected = (1 - math.exp(-0.5 / 0.5)) / 4
    torch.testing.assert_close(maps[0, :4, :4], torch.full((4, 4), expected), rtol=0.01, atol=0)
    rest = maps[0].clone()
    rest[:4, :4] = 0
    assert rest.max() < 0.01 * expected


def test_a_constant_score_depends_on_nothing() -> None:
    maps = workers.explain(FirstCell().eval(), torch.ones(1, 1, 8, 8), 1, "hsic", cells=2, samples=64)

    assert (maps == 0).all()

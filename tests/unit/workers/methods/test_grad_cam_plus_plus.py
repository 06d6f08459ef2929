"""Grad-CAM++ by other roads: the general formula with derivatives of exp(S), and its degenerate cases."""

from __future__ import annotations

import torch
from torch import nn

import workers
from tests.unit.workers.methods.readings import enlarged, read
from tests.unit.workers.networks import Pooled, seeded

TARGETS = [1, 7]


def test_it_is_the_general_formula_for_the_exponential_of_the_score() -> None:
    network = seeded(Pooled).double()
    images = torch.rand(2, 3, 8, 12, dtype=torch.float64)
    features, _ = read(network, images, TARGETS, "features")
    expected = torch.stack(
        [general_map(network, features[row], target) for row, target in enumerate(TARGETS)]
    )

    maps = workers.explain(network, images, TARGETS, "grad-cam++", relu=False)

    torch.testing.assert_close(maps, enlarged(expected, images).float())


def test_small_gradients_keep_their_weights() -> None:
    """Squares of gradients would be lost beside any epsilon, and below 1e-23 in float32 altogether."""
    network, images = seeded(Pooled), torch.rand(2, 3, 8, 12)
    assert isinstance(network, Pooled)
    network.head.weight.data.mul_(1e-24)
    features, gradients = read(network, images, TARGETS, "features")
    weights = gradients.relu().sum((2, 3), keepdim=True) / 2  # the second term of the denominator vanishes

    maps = workers.explain(network, images, TARGETS, "grad-cam++", relu=False)

    expected = enlarged((weights * features).sum(1), images)
    torch.testing.assert_close(maps, expected, atol=0, rtol=1e-4)
    assert maps.count_nonzero()


def test_at_a_pole_the_weight_is_zero() -> None:
    head = nn.Linear(4, 1, bias=False)
    network = nn.Sequential(nn.Identity(), nn.Flatten(), head).eval()
    nn.init.ones_(head.weight)
    images = torch.full((1, 1, 2, 2), -0.5)  # they sum to -2: the denominator of eq. 19 is zero

    maps = workers.explain(network, images, 0, "grad-cam++", "0", relu=False)

    assert maps.tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


def general_map(network: nn.Module, features: torch.Tensor, target: int) -> torch.Tensor:
    """(h, w): weights from first, second and third derivatives of Y = exp(S) at each feature, over Y."""
    assert isinstance(network, Pooled)
    row, cells = network.head.weight[target].detach(), features[0].numel()
    score = (features.mean((1, 2)) @ network.head.weight[target] + network.head.bias[target]).detach()
    change = torch.zeros(len(features), dtype=torch.float64, requires_grad=True)
    value = torch.exp(score + change * row / cells)  # of one cell of each feature; all cells are alike
    derivatives = []
    for _ in range(3):
        (value,) = torch.autograd.grad(value.sum(), change, create_graph=True)
        derivatives.append(value.detach())
    first, second, third = derivatives
    alphas = second / (2 * second + features.sum((1, 2)) * third)
    weights = cells * alphas * first.relu()
    return (weights @ features.flatten(1)).view(features.shape[1:]) / score.exp()

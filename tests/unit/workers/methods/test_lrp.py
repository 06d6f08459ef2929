"""Layer-wise relevance propagation against gradients, conservation, and what it must refuse."""

from __future__ import annotations

from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.networks import resnet18, seeded
from workers.declare import Relevance
from workers.methods import METHODS
from workers.probe import Probe
from workers.probe.passes import Pass
from workers.rules.composites import Name

TARGETS = [7, 0, 3]


class Block(nn.Module):
    """One transformer block without any library's attention, and where all but the values can be held."""

    def __init__(self, *, held: bool) -> None:
        super().__init__()
        self.held = held
        self.embedding = nn.Conv2d(3, 8, 4, stride=4)
        self.positions = nn.Parameter(torch.randn(4, 8))
        self.norm = nn.LayerNorm(8)
        self.attention, self.wide, self.narrow = nn.Linear(8, 24), nn.Linear(8, 16), nn.Linear(16, 8)
        self.act = nn.GELU()
        self.head = nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embedding(images).flatten(2).transpose(1, 2) + self.positions
        query, key, value = self.attention(self._norm(tokens)).chunk(3, dim=-1)
        weights = (query @ key.transpose(1, 2) * 8**-0.5).softmax(-1)
        tokens = tokens + self._hold(weights) @ value
        wide = self.wide(self._norm(tokens))
        bent = wide * (self.act(wide) / wide).detach() if self.held else self.act(wide)
        return torch.as_tensor(self.head((tokens + self.narrow(bent)).mean(1)))

    def _norm(self, tokens: Tensor) -> Tensor:
        if not self.held:
            return torch.as_tensor(self.norm(tokens))
        deviation = (tokens.var(-1, correction=0, keepdim=True) + self.norm.eps).sqrt().detach()
        return (tokens - tokens.mean(-1, keepdim=True)) / deviation * self.norm.weight + self.norm.bias

    def _hold(self, values: Tensor) -> Tensor:
        return values.detach() if self.held else values


def without_biases() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, bias=False),
        nn.ReLU6(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 12, bias=False),
        nn.ReLU(),
        nn.Linear(12, 10, bias=False),
    )


def pictures(*shape: int) -> Tensor:
    return torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def explained(network: nn.Module, images: Tensor, **params: object) -> Relevance:
    method = METHODS["lrp"]
    return method.explain(Probe(Pass(network, images), range(3), TARGETS), method.params(**params))


def input_x_gradient(network: nn.Module, images: Tensor) -> Tensor:
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf)[range(3), TARGETS].sum(), leaf)
    return (images * gradient).sum(1)


def test_without_an_epsilon_it_is_input_x_gradient_on_a_stock_resnet() -> None:
    network, images = resnet18().double(), pictures(3, 48, 64)

    maps = explained(network, images, composite="epsilon", epsilon=1e-13).maps

    expected = input_x_gradient(network, images)
    torch.testing.assert_close(maps, expected, rtol=0, atol=float(1e-6 * expected.abs().max()))


def test_through_attention_it_is_input_x_gradient_with_weights_deviations_and_slopes_held() -> None:
    network, held = (seeded(partial(Block, held=one)).double() for one in (False, True))
    images = pictures(3, 8, 8)
    torch.testing.assert_close(network(images), held(images))

    maps = explained(network, images, composite="epsilon", epsilon=0).maps

    torch.testing.assert_close(maps, input_x_gradient(held, images))


@pytest.mark.parametrize("composite", get_args(Name))
def test_every_composite_conserves_the_score_where_nothing_has_a_bias(composite: Name) -> None:
    network, images = seeded(without_biases).double(), pictures(3, 13, 13)

    relevance = explained(network, images, composite=composite, epsilon=0)

    scores = network(images)[range(3), TARGETS].detach()
    torch.testing.assert_close(relevance.maps.sum((1, 2)), scores)
    assert relevance.gaps is not None
    assert (relevance.gaps < 1e-9).all()


def test_the_gap_is_what_biases_and_epsilon_took() -> None:
    network = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 10))).double()
    images = pictures(3, 2, 2)
    score = network(images)[range(3), TARGETS].detach()
    bias = network.get_submodule("1").get_parameter("bias").detach()[TARGETS]

    gaps = explained(network, images, composite="epsilon", epsilon=0.5).gaps

    absorbed = 1 - (score - bias) / (score + 0.5 * score.sign())
    torch.testing.assert_close(gaps, absorbed.abs())


def test_a_network_that_normalises_inside_has_the_same_map() -> None:
    class Inside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = seeded(without_biases).double()
            self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64).view(3, 1, 1))

        def forward(self, images: Tensor) -> Tensor:
            return torch.as_tensor(self.network(self.normalised(images)))

        def normalised(self, images: Tensor) -> Tensor:
            return (images - self.get_buffer("mean")) / 0.25

    network, images = Inside().eval(), pictures(3, 13, 13).sigmoid()
    black, white = (network.normalised(torch.full((1, 3, 1, 1), one)) for one in (0, 1))
    method, alone = METHODS["lrp"], network.get_submodule("network")

    for composite in get_args(Name):
        inside = workers.explain(network, images, TARGETS, "lrp", composite=composite, value_range=(0, 1))
        shared = Pass(alone, network.normalised(images), black=black.flatten(1), white=white.flatten(1))
        outside = method.explain(Probe(shared, range(3), TARGETS), method.params(composite=composite)).maps
        torch.testing.assert_close(inside, outside.float())


def test_a_product_of_features_is_refused_by_name() -> None:
    class Squared(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return features * features

    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 10), Squared()).double().eval()

    with pytest.raises(NotExplainable, match="mul in '2'"):
        explained(network, pictures(3, 2, 2))


def test_what_returns_several_values_is_refused_by_name() -> None:
    class Largest(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return features.view(len(features), 10, 2).max(dim=2).values

    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 20), Largest()).double().eval()

    with pytest.raises(NotExplainable, match="max in '2' returns several values"):
        explained(network, pictures(3, 2, 2))

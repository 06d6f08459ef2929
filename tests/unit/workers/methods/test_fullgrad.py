"""FullGrad: its terms by hand on a small network, and their sum on networks of every kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jobs.errors import NotExplainable
from tests.unit.workers.networks import SUBJECTS, Linear, seeded, vision_transformer
from workers.declare import Relevance
from workers.methods.fullgrad import METHOD
from workers.probe import Probe
from workers.probe.passes import Pass

TARGETS = [7, 0, 3]


class Biased(nn.Module):
    """Two convolutions with biases, a norm that stands alone, a bounded ReLU, a sigmoid gate, tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.first = nn.BatchNorm2d(3), nn.Conv2d(3, 6, 3, padding=1)
        self.second, self.norms, self.head = nn.Conv2d(6, 8, 3), nn.LayerNorm(8), nn.Linear(8, 10)
        self.norm.bias.data.fill_(0.3)

    def forward(self, images: Tensor) -> Tensor:
        features = F.relu6(4 * self.first(self.norm(images)) + 0.5)
        features = self.second(F.pad(features, (1, 1, 1, 1), value=0.2))
        features = F.silu(features) * torch.sigmoid(features.mean((2, 3), keepdim=True))
        tokens = F.gelu(self.norms(features.permute(0, 2, 3, 1)))
        return torch.as_tensor(self.head(tokens.mean((1, 2))))


class TwoConvolutions(nn.Module):
    """Its second grid is half as fine as the first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 2, stride=2)
        self.head = nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = torch.relu(self.second(torch.relu(self.first(images))))
        return torch.as_tensor(self.head(features.mean((2, 3))))


@pytest.mark.parametrize("subject", ["resnet18", "vgg", "reused-in-place", "concatenating", "biased"])
def test_all_terms_sum_to_the_score(subject: str) -> None:
    chosen = SUBJECTS.get(subject)
    network = chosen.network() if chosen else seeded(Biased)
    images = chosen.images() if chosen else pictures(3, 13, 11)

    found = explain(network.double(), images.double())

    assert found.gaps is not None
    assert found.gaps.max() < 1e-9


def test_on_a_linear_model_it_is_input_times_weight() -> None:
    network = seeded(lambda: Linear(3, 4, 4)).double()
    assert isinstance(network, Linear)
    images = pictures(3, 4, 4)

    torch.testing.assert_close(
        explain(network, images).maps, (network.weights(TARGETS) * images).abs().sum(1)
    )


@pytest.mark.parametrize("signed", [True, False])
def test_each_grid_adds_bias_times_gradient(signed: bool) -> None:
    network, images = seeded(TwoConvolutions).double(), pictures(3, 8, 8)
    leaf = images.clone().requires_grad_()
    first = network.get_submodule("first")(leaf)
    second = network.get_submodule("second")(torch.relu(first))
    logits = network.get_submodule("head")(torch.relu(second).mean((2, 3)))
    values = [leaf, first, second]
    gradients = torch.autograd.grad(logits[range(3), TARGETS].sum(), values)
    biases = [images] + [network.get_parameter(f"{name}.bias")[:, None, None] for name in ("first", "second")]
    terms = [gradient * bias for gradient, bias in zip(gradients, biases, strict=True)]
    expected = [(term if signed else term.abs()).sum(1, keepdim=True) for term in terms]
    expected[2] = F.interpolate(expected[2], size=(8, 8), mode="bilinear") / 4  # a cell is four pixels

    found = explain(network, images, signed=signed)

    torch.testing.assert_close(found.maps, torch.cat(expected, dim=1).sum(1).detach())
    if signed:
        dense = network.get_parameter("head.bias")[TARGETS]
        torch.testing.assert_close(found.maps.sum((1, 2)), logits[range(3), TARGETS].detach() - dense)


def test_targets_of_one_image_have_maps_of_their_own() -> None:
    network, images = seeded(TwoConvolutions).double(), pictures(3, 8, 8)

    together = METHOD.explain(Probe(Pass(network, images), [1, 1, 0], TARGETS), METHOD.params()).maps
    alone = explain(network, images[[1, 1, 0]]).maps

    torch.testing.assert_close(together, alone)


def test_attention_is_refused_by_name() -> None:
    with pytest.raises(NotExplainable, match=r"matmul in 'encoder\.layers"):
        explain(vision_transformer(), pictures(3, 32, 32).float())


def pictures(*shape: int) -> Tensor:
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def explain(network: nn.Module, images: Tensor, **given: Any) -> Relevance:  # Any: parameters
    network.requires_grad_(False)
    return METHOD.explain(Probe(Pass(network, images), range(3), TARGETS), METHOD.params(**given))

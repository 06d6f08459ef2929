"""Guided backpropagation and DeconvNet against their matrices; what is no ReLU is refused by name."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.networks import SUBJECTS, seeded, vision_transformer


class TwoLayers(nn.Module):
    """Linear, ReLU in some form, linear."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(12, 20), nn.Linear(20, 4)
        self.relu = nn.ReLU(inplace=form == "in place")
        self.form = form

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.first(images.flatten(1))
        hidden = F.relu(hidden) if self.form == "functional" else self.relu(hidden)
        return torch.as_tensor(self.second(hidden))


class Twice(nn.Module):
    """One ReLU that is called twice, with other signs before it each time."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(12, 9), nn.Linear(9, 7), nn.Linear(7, 4)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.relu(self.first(images.flatten(1)))
        return torch.as_tensor(self.last(self.relu(self.second(hidden))))


IMAGES = torch.randn(3, 3, 2, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
TARGETS = [2, 0, 3]


@pytest.mark.parametrize("form", ["module", "in place", "functional"])
@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet"])
def test_the_map_is_the_product_of_matrices(method: str, form: str) -> None:
    network = seeded(lambda: TwoLayers(form)).double()
    first, second = network.get_submodule("first"), network.get_submodule("second")
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    relevance = second.weight[TARGETS].clamp(min=0)
    if method == "guided-backprop":
        relevance = relevance * (first(IMAGES.flatten(1)) > 0)
    expected = (relevance @ first.weight).view_as(IMAGES).sum(dim=1)

    maps = workers.explain(network, IMAGES, TARGETS, method)

    torch.testing.assert_close(maps, expected.detach().float())


def test_each_call_of_a_reused_relu_has_a_mask_of_its_own() -> None:
    network = seeded(Twice).double()
    assert isinstance(network, Twice)
    before = network.first(IMAGES.flatten(1))
    between = network.second(before.relu())
    relevance = network.last.weight[TARGETS].clamp(min=0) * (between > 0)
    relevance = (relevance @ network.second.weight).clamp(min=0) * (before > 0)
    expected = (relevance @ network.first.weight).view_as(IMAGES).sum(dim=1)

    maps = workers.explain(network, IMAGES, TARGETS, "guided-backprop")

    torch.testing.assert_close(maps, expected.detach().float())


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet"])
def test_magnitudes_are_summed_over_the_channels_when_asked_for(method: str) -> None:
    subject = SUBJECTS["vgg"]
    network, images = subject.network(), subject.images()

    signed = workers.explain(network, images, TARGETS, method)
    magnitudes = workers.explain(network, images, TARGETS, method, absolute=True)

    assert (magnitudes >= signed.abs() - 1e-6).all()
    assert (signed < 0).any()


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet"])
def test_a_network_that_bends_its_values_otherwise_is_refused_by_name(method: str) -> None:
    with pytest.raises(NotExplainable, match=r"gelu in 'encoder.layers.encoder_layer_0.mlp.1' is no ReLU"):
        workers.explain(vision_transformer(), torch.rand(1, 3, 32, 32), 0, method)


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet"])
def test_a_network_without_any_relu_is_refused(method: str) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).eval()

    with pytest.raises(NotExplainable, match="no ReLU"):
        workers.explain(network, torch.rand(1, 3, 2, 2), 0, method)

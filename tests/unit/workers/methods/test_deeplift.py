"""DeepLIFT by hand: chords of small networks, the paper's minimum, and sums on networks of every kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.networks import SUBJECTS, Linear, seeded, swin, vision_transformer
from workers.declare import Relevance
from workers.methods.deeplift import METHOD
from workers.probe import Probe
from workers.probe.passes import Pass
from workers.rules.rescale import rescaled

TARGETS = [7, 0, 3]


class Minimum(nn.Module):
    """min(a, b) as a - ReLU(a - b), spelt as matrices or as differences."""

    def __init__(self, *, matrices: bool) -> None:
        super().__init__()
        self.matrices = matrices
        self.first, self.last = nn.Linear(2, 3), nn.Linear(3, 2)
        self.first.weight.data = torch.tensor([[1.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])
        self.last.weight.data = torch.tensor([[-1.0, 1.0, -1.0], [0.0, 0.0, 0.0]])
        self.first.bias.data.zero_()
        self.last.bias.data.zero_()

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        if self.matrices:
            return torch.as_tensor(self.last(torch.relu(self.first(flat))))
        a, b = flat[:, :1], flat[:, 1:]
        return torch.cat([a - torch.relu(a - b), 0 * a], dim=1)


class Hidden(nn.Module):
    """One hidden layer of ReLUs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(12, 9), nn.Linear(9, 10)

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.last(torch.relu(self.first(images.flatten(1)))))


class Gated(nn.Module):
    """Gates, a scale with both signs, a norm of groups and one of the last axis, max-pool."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(3)
        self.squeeze, self.groups = nn.Conv2d(8, 8, 1), nn.GroupNorm(2, 8)
        self.pool, self.last, self.head = nn.MaxPool2d(3, 2, 1), nn.LayerNorm(8), nn.Linear(8, 10)
        self.norm.weight.data = torch.tensor([1.5, -0.5, 1.0])
        self.register_buffer("scale", torch.linspace(-1, 1, 8).view(8, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        features = nn.functional.hardswish(self.stem(self.norm(images) - 0.1))
        gates = nn.functional.hardsigmoid(self.squeeze(features.mean((2, 3), keepdim=True)))
        features = self.pool(self.groups(features * gates) * self.scale) - features[:, :, ::2, ::2]
        tokens = self.last(nn.functional.gelu(features).permute(0, 2, 3, 1))
        return torch.as_tensor(self.head(tokens).mean((1, 2)))


@pytest.mark.parametrize("rule", ["rescale", "reveal-cancel"])
def test_on_a_linear_model_it_is_weight_times_difference(rule: str) -> None:
    network = seeded(lambda: Linear(3, 4, 4)).double()
    assert isinstance(network, Linear)
    images = pictures(3, 4, 4)

    found = explain(network, images, rule=rule, baseline="mean")

    starts = images.mean((2, 3), keepdim=True)
    torch.testing.assert_close(found.maps, (network.weights(TARGETS) * (images - starts)).sum(1))


def test_rescale_takes_the_slope_of_each_chord() -> None:
    network, images = hidden(), pictures(3, 2, 2)
    change, before, after = steps(network, images)
    slopes = (after.relu() - before.relu()) / (after - before)
    multipliers = (network.last.weight[TARGETS] * slopes) @ network.first.weight

    found = explain(network, images)

    torch.testing.assert_close(found.maps, (multipliers * change).view_as(images).sum(1))


def test_reveal_cancel_averages_over_what_comes_first() -> None:
    network, images = hidden(), pictures(3, 2, 2)
    change, before, _ = steps(network, images)
    terms = network.first.weight * change[:, None]  # (N, hidden, pixels)
    plus, minus = terms.clamp(min=0).sum(2), terms.clamp(max=0).sum(2)
    raised = ((before + plus).relu() - before.relu() + (before + plus + minus).relu()) / 2
    raised = raised - (before + minus).relu() / 2
    lowered = ((before + minus).relu() - before.relu() + (before + plus + minus).relu()) / 2
    lowered = lowered - (before + plus).relu() / 2
    shares = (
        terms.clamp(min=0) * (raised / plus)[..., None] + terms.clamp(max=0) * (lowered / minus)[..., None]
    )

    found = explain(network, images, rule="reveal-cancel")

    contributions = (network.last.weight[TARGETS][..., None] * shares).sum(1)
    torch.testing.assert_close(found.maps, contributions.view_as(images).sum(1))


@pytest.mark.parametrize("matrices", [True, False])
@pytest.mark.parametrize(("a", "b"), [(3.0, 1.0), (1.0, 3.0), (2.0, 2.0)])
def test_a_minimum_is_of_both_by_reveal_cancel_and_of_one_by_rescale(
    a: float, b: float, matrices: bool
) -> None:
    network = Minimum(matrices=matrices).eval()
    image = torch.tensor([a, b]).view(1, 1, 1, 2)

    shared = workers.explain(network, image, 0, "deeplift", rule="reveal-cancel").flatten()
    whole = workers.explain(network, image, 0, "deeplift").flatten()

    torch.testing.assert_close(shared, torch.full((2,), min(a, b) / 2))
    if a != b:
        torch.testing.assert_close(whole, torch.tensor([a, 0.0] if a < b else [0.0, b]))


@pytest.mark.parametrize("baseline", ["zero", "blur"])
@pytest.mark.parametrize("subject", [*SUBJECTS, "gated"])
def test_rescale_sums_to_the_difference_on_every_network(subject: str, baseline: str) -> None:
    network, images = doubled(subject)

    found = explain(network, images, baseline=baseline)

    assert found.gaps is not None
    assert found.gaps.max() < 1e-9


@pytest.mark.parametrize("subject", ["resnet18", "vgg", "reused-in-place", "concatenating", "gated"])
def test_reveal_cancel_sums_to_the_difference_where_there_is_no_attention(subject: str) -> None:
    network, images = doubled(subject)

    found = explain(network, images, rule="reveal-cancel")

    assert found.gaps is not None
    assert found.gaps.max() < 1e-9


@pytest.mark.parametrize("subject", ["vgg", "vision-transformer", "swin", "gated"])
def test_very_close_to_the_reference_the_multipliers_are_the_gradient(subject: str) -> None:
    network, images = doubled(subject)
    leaf = images.clone().requires_grad_()
    gradient = torch.autograd.grad(network(leaf)[range(3), TARGETS].sum(), leaf)[0]

    for distance in (0, 1e-7):
        multipliers, _ = rescaled(Probe(Pass(network, images), range(3), TARGETS), images + distance)
        assert (multipliers - gradient).abs().max() < 1e-5 * gradient.abs().max()


@pytest.mark.parametrize("make", [vision_transformer, swin])
def test_a_reference_for_all_is_the_same_as_one_for_each(make: Any) -> None:  # Any: either function
    network = seeded(make).double()
    probe = Probe(Pass(network, pictures(3, 32, 40 if make is swin else 32)), range(3), TARGETS)
    reference = torch.full_like(probe.images, 0.3)

    for one, each in zip(rescaled(probe, reference[:1]), rescaled(probe, reference), strict=True):
        torch.testing.assert_close(one, each)


def test_reveal_cancel_refuses_attention_by_name() -> None:
    with pytest.raises(NotExplainable, match=r"matmul in 'encoder\.layers"):
        explain(vision_transformer().eval(), pictures(3, 32, 32).float(), rule="reveal-cancel")


def test_a_quotient_of_two_values_is_refused_by_name() -> None:
    class Quotient(Linear):
        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            return logits / (logits.square().sum(1, keepdim=True) + 1)

    for rule in ("rescale", "reveal-cancel"):
        with pytest.raises(NotExplainable, match="div"):
            explain(Quotient(3, 4, 4).eval(), pictures(3, 4, 4).float(), rule=rule)


def hidden() -> Hidden:
    network = seeded(Hidden).double()
    assert isinstance(network, Hidden)
    return network.requires_grad_(False)


def steps(network: Hidden, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The flat difference from zero, and the hidden layer before its ReLU at zero and at the images."""
    flat = images.flatten(1)
    return flat, network.first(torch.zeros_like(flat)), network.first(flat)


def doubled(subject: str) -> tuple[nn.Module, Tensor]:
    if subject == "gated":
        return seeded(Gated).double().requires_grad_(False), pictures(3, 15, 13)
    one = SUBJECTS[subject]
    return one.network().double().requires_grad_(False), 4 * one.images().double()


def pictures(*shape: int) -> Tensor:
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def explain(network: nn.Module, images: Tensor, **given: Any) -> Relevance:  # Any: parameters
    return METHOD.explain(Probe(Pass(network, images), range(3), TARGETS), METHOD.params(**given))

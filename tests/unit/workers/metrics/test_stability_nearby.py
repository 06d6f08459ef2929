"""Max-sensitivity and the local Lipschitz estimate in closed form, beside captum, and by their noise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import InputXGradient
from captum.metrics import sensitivity_max
from torch import Tensor, nn

from tests.unit.workers.networks import Linear, Pooled, Smooth, seeded
from workers import measure
from workers.probe.trial import Trial

TARGETS = [1, 7, 4]
RANGE = (-1.0, 3.0)
STABILITY = pytest.mark.parametrize("metric", ["max-sensitivity", "local-lipschitz"])


def images(network: nn.Module, *shape: int) -> Tensor:
    like = next(network.parameters())
    return torch.randn(len(TARGETS), *shape, generator=torch.Generator().manual_seed(2)).to(like)


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """(R, samples, C, H, W): what was added to the images, one tensor a measurement."""
    kept: list[Tensor] = []
    compared = Trial.elsewhere

    def watched(self: Trial, points: Any, count: int) -> Any:  # Any: handed on
        all_of = self.probe.inputs.new_zeros(len(self), count, *self.probe.inputs.shape[1:])
        kept.append(all_of)
        for part in compared(self, points, count):
            all_of[part.rows, part.steps] = part.inputs - self.probe.inputs[part.rows].unsqueeze(1)
            yield part

    monkeypatch.setattr(Trial, "elsewhere", watched)
    return kept


def linear() -> tuple[Linear, Tensor, Tensor]:
    """A matrix, images, and what each pixel of them weighs for the targets (R, H, W)."""
    network = seeded(lambda: Linear(1, 5, 6)).double()
    assert isinstance(network, Linear)
    return network, images(network, 1, 5, 6), network.weights(TARGETS)[:, 0]


@STABILITY
def test_the_gradient_of_a_linear_model_never_changes(metric: str) -> None:
    network, some, _ = linear()
    assert measure(network, some, TARGETS, "saliency", metric).values.tolist() == [0.0] * len(TARGETS)


def test_input_x_gradient_of_a_linear_model_is_as_steep_as_its_weights(moves: list[Tensor]) -> None:
    network, some, weights = linear()
    found = measure(network, some, TARGETS, "input-x-gradient", "local-lipschitz", value_range=RANGE).values
    [moved] = moves
    steps = moved[:, :, 0].flatten(2)
    steep = (weights.flatten(1).unsqueeze(1) * steps).norm(dim=2) / steps.norm(dim=2)
    torch.testing.assert_close(found, steep.amax(dim=1))
    assert (found <= weights.abs().amax((1, 2))).all()
    assert (found >= weights.abs().amin((1, 2))).all()

    network.head.weight.data = network.head.weight.data.sign() * 0.25
    alike = measure(network, some, TARGETS, "input-x-gradient", "local-lipschitz").values
    torch.testing.assert_close(alike, torch.full_like(alike, 0.25))


def test_max_sensitivity_of_a_linear_model_is_that_of_its_products(moves: list[Tensor]) -> None:
    network, some, weights = linear()
    found = measure(network, some, TARGETS, "input-x-gradient", "max-sensitivity", value_range=RANGE)
    [moved] = moves
    changes = (weights.unsqueeze(1) * moved[:, :, 0]).flatten(2).norm(dim=2)
    relative = changes / (weights * some[:, 0]).flatten(1).norm(dim=1, keepdim=True)
    torch.testing.assert_close(found.values, relative.amax(dim=1))
    assert found.details is not None
    assert [one["mean"] for one in found.details] == pytest.approx(relative.mean(dim=1).tolist())


@pytest.mark.parametrize("make", [Pooled, Smooth])
def test_max_sensitivity_is_captums_for_the_same_changes(
    make: type[nn.Module], moves: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = seeded(make)
    some = images(network, 1, 12, 14).expand(-1, 3, -1, -1).contiguous()
    found = measure(
        network, some, TARGETS, "input-x-gradient", "max-sensitivity", radius=0.05, value_range=RANGE
    )
    [moved] = moves
    count = moved.shape[1]

    def explained(inputs: tuple[Tensor, ...] | Tensor, target: Any = None) -> tuple[Tensor]:  # Any: captum's
        inputs = (inputs if isinstance(inputs, Tensor) else inputs[0]).clone().requires_grad_()
        return (InputXGradient(network).attribute(inputs, target=target).sum(dim=1, keepdim=True),)

    def changed(inputs: Any, _: float) -> Any:  # Any: captum's
        [repeated] = inputs if isinstance(inputs, tuple) else (inputs,)
        return (repeated + moved.flatten(0, 1),)

    theirs = sensitivity_max(
        explained, some, perturb_func=changed, n_perturb_samples=count, target=torch.tensor(TARGETS)
    )
    torch.testing.assert_close(found.values, theirs, rtol=1e-4, atol=1e-4)
    assert (found.values > 0.01).all()


@STABILITY
def test_changes_fill_the_ball_and_follow_the_seed_alone(metric: str, moves: list[Tensor]) -> None:
    network, some, _ = linear()
    for seed, few in ((0, 3), (0, 1), (5, 3)):
        measure(network, some[:few], TARGETS[:few], metric=metric, seed=seed, value_range=RANGE, radius=0.1)
    first, again, other = moves
    assert 0.37 < float(first.abs().max()) <= 0.1 * 4
    assert abs(float(first.mean())) < 0.03
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])


def test_a_map_of_nothing_has_no_sensitivity() -> None:
    network, some, _ = linear()
    maps = torch.zeros(len(TARGETS), 5, 6)
    found = measure(network, some, TARGETS, metric="max-sensitivity", maps=maps)
    assert not found.values.isfinite().any()
    assert found.details == ({"mean": None},) * len(TARGETS)

"""SmoothGrad by other roads: the closed form of a quadratic model, and the noise drawn by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import workers
from tests.unit.workers.networks import Linear, Smooth, seeded
from workers.methods import METHODS
from workers.methods.smoothgrad import METHOD, SmoothGradParams
from workers.probe import Probe
from workers.probe.passes import Pass

SIDE = 12


class Quadratic(nn.Module):
    """S_t(x) = t/2 x.x, so that the gradient t x carries the noise t times over, and nothing else."""

    def forward(self, images: Tensor) -> Tensor:
        half = images.flatten(1).square().sum(dim=1, keepdim=True) / 2
        return half * torch.arange(4, dtype=images.dtype)


class Waves(nn.Module):
    """S(x) = sum of sin(40 x): its gradient turns its sign again and again."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.sin(40 * images).flatten(1).sum(dim=1, keepdim=True)


def test_on_a_quadratic_model_every_kind_has_its_closed_form() -> None:
    images = torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64)
    sigma, targets, draws = 0.2 * 4.0, torch.tensor([1.0, 3.0]).view(2, 1, 1), 1000
    expected = {
        "mean": targets * images.sum(dim=1),
        "squared": (targets**2) * (images.square().sum(dim=1) + 3 * sigma**2),
        "variance": (targets**2) * 3 * sigma**2 * torch.ones(SIDE, SIDE),
    }

    for kind, closed in expected.items():
        params = SmoothGradParams.model_validate({"kind": kind, "samples": draws, "noise": 0.2})
        maps = explain(Quadratic(), images, params, [1, 3])
        # Each pixel is off by its share of the noise; a mean over all of them by far less.
        spread = closed.abs().mean()
        assert (maps - closed).abs().max() < 0.25 * spread.clamp_min(1), kind
        assert (maps - closed).mean((1, 2)).abs().max() < 0.02 * spread.clamp_min(1), kind


@pytest.mark.parametrize("kind", ["mean", "squared", "variance"])
@pytest.mark.parametrize("chunk_rows", [3, 100])
def test_it_is_the_statistic_of_the_gradients_at_the_copies(kind: str, chunk_rows: int) -> None:
    network, images = seeded(Smooth).double(), torch.rand(2, 3, 6, 6, dtype=torch.float64)
    params = SmoothGradParams.model_validate({"kind": kind, "samples": 7})
    gradients = []
    for row in (0, 1):
        generator = torch.Generator().manual_seed([4, 9][row])
        for _ in range(7):
            noise = torch.randn(3, 6, 6, generator=generator, dtype=torch.float64)
            copy = (images[row] + 0.15 * 4.0 * noise).requires_grad_()
            gradients.append(torch.autograd.grad(network(copy[None])[0, row], copy)[0])
    each = torch.stack(gradients).view(2, 7, 3, 6, 6)
    by_hand = {"mean": each.mean(1), "squared": each.square().mean(1), "variance": each.var(1)}

    maps = explain(network, images, params, [0, 1], seeds=[4, 9], chunk_rows=chunk_rows)

    torch.testing.assert_close(maps, by_hand[kind].sum(dim=1))


def test_the_mean_keeps_the_sign_and_so_cancels_what_only_flickers() -> None:
    """An average of magnitudes would show noise where the gradient points nowhere."""
    images = torch.zeros(1, 1, 4, 4)
    signed, magnitude, squared = (
        workers.explain(
            Waves().eval(), images, 0, "smoothgrad", value_range=(0.0, 1.0), samples=500, noise=1.0, **kind
        )
        for kind in ({}, {"absolute": True}, {"kind": "squared"})
    )

    assert signed.abs().max() < 0.25 * squared.sqrt().min()
    torch.testing.assert_close(magnitude, signed.abs())


def test_on_a_linear_model_it_is_the_weight_and_varies_not_at_all() -> None:
    network, images = seeded(lambda: Linear(3, 4, 5)), torch.rand(1, 3, 4, 5)
    weights = network.weights([2]) if isinstance(network, Linear) else torch.empty(0)

    torch.testing.assert_close(workers.explain(network, images, 2, "smoothgrad"), weights.sum(dim=1))
    assert workers.explain(network, images, 2, "smoothgrad", kind="variance").max() < 1e-12


def test_noise_is_relative_to_the_range_of_the_images() -> None:
    """The same picture in other units, with a network that undoes them, has the same map in those units."""
    network, images = seeded(Smooth), torch.rand(1, 3, 6, 6)

    class InOtherUnits(nn.Module):
        def forward(self, changed: Tensor) -> Tensor:
            return torch.as_tensor(network(changed / 255))

    here = workers.explain(network, images, 1, "smoothgrad", value_range=(0.0, 1.0))
    there = workers.explain(InOtherUnits().eval(), 255 * images, 1, "smoothgrad", value_range=(0.0, 255.0))

    torch.testing.assert_close(255 * there, here, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["smoothgrad", "gradient-shap"])
def test_rows_differ_with_their_seed_alone(method: str) -> None:
    network = seeded(Smooth)
    image = torch.rand(1, 3, 6, 6)
    probe = Probe(Pass(network, image.repeat(2, 1, 1, 1)), [0, 0, 1, 1], [3] * 4, seeds=[1, 2, 2, 1])
    maps = METHODS[method].explain(probe, METHODS[method].params()).maps

    torch.testing.assert_close(maps[0], maps[3])
    torch.testing.assert_close(maps[1], maps[2])
    assert (maps[0] - maps[1]).abs().max() > 1e-3 * maps.abs().max()


def explain(
    network: nn.Module,
    images: Tensor,
    params: SmoothGradParams,
    targets: list[int],
    *,
    seeds: list[int] | None = None,
    chunk_rows: int = 32,
) -> Tensor:
    """From black to white is 4."""
    black, white = images.new_full((1, 3), -1), images.new_full((1, 3), 3)
    shared = Pass(network.eval(), images, black=black, white=white)
    relevance = METHOD.explain(
        Probe(shared, range(len(images)), targets, seeds=seeds, chunk_rows=chunk_rows), params
    )
    assert relevance.samples is not None
    assert (relevance.samples == params.samples).all()
    return relevance.maps

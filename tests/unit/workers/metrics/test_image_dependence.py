"""Image dependence by hand, on networks that look at all, at some, and at nothing of the image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.unit.workers.networks import Pooled, seeded
from workers import measure


def moved(
    network: nn.Module, images: Tensor, *, seed: int = 0, value_range: tuple[float, float] | None = None
) -> list[dict[str, float]]:
    found = measure(network, images, 1, metric="image-dependence", seed=seed, value_range=value_range)
    assert found.details is not None
    assert found.values.tolist() == pytest.approx([max(one.values()) for one in found.details], abs=1e-6)
    return [dict(one) for one in found.details]


class Steep(nn.Module):
    """The probability of one of two classes rises with the mean of the image."""

    def forward(self, images: Tensor) -> Tensor:
        means = images.mean((1, 2, 3))
        return torch.stack([torch.zeros_like(means), 8 * (means - 0.5)], dim=1)


class Deaf(nn.Module):
    """The image counts for nothing."""

    def forward(self, images: Tensor) -> Tensor:
        return 0 * images.flatten(1)[:, :3] + torch.tensor([1.0, 5.0, -2.0])


def test_it_is_the_total_variation_to_each_of_five_images() -> None:
    images = 0.9 * torch.rand(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    found = moved(Steep().eval(), images, value_range=(0.0, 1.0))
    for image, one in zip(images, found, strict=True):
        own, negative, black, white = (
            float(torch.sigmoid(8 * (torch.as_tensor(mean) - 0.5)))
            for mean in (image.mean(), 1 - image.mean(), 0.0, 1.0)
        )
        expected = {"negative": negative, "black": black, "white": white, "shuffled": own, "flat": own}
        assert one == pytest.approx({name: abs(value - own) for name, value in expected.items()}, abs=1e-5)


def test_of_several_classes_it_is_half_of_what_all_of_them_move() -> None:
    network, images = seeded(Pooled), torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        answers = network(torch.cat([images, torch.ones_like(images)])).softmax(dim=1)
    expected = float((answers[0] - answers[1]).abs().sum() / 2)
    assert moved(network, images, value_range=(0.0, 1.0))[0]["white"] == pytest.approx(expected, abs=1e-5)


class Colour(nn.Module):
    """How many pixels are red and not green, whatever their place, and what stands in the first pixel."""

    def forward(self, images: Tensor) -> Tensor:
        red = (images[:, 0] * (1 - images[:, 1])).mean((1, 2))
        return torch.stack([20 * red, images[:, 2, 0, 0]], dim=1)


def test_shuffled_pixels_keep_their_colours_and_follow_the_seed() -> None:
    images = torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(0)).round()
    images[:, 2] = torch.linspace(0, 1, 30).view(6, 5)
    with torch.no_grad():
        answer = Colour()(images)
    found = [moved(Colour().eval(), images, seed=seed)[0]["shuffled"] for seed in (1, 1, 2)]
    firsts = [torch.stack([answer[0, 0], first]).softmax(dim=0)[0] for first in images[0, 2].flatten()]
    possible = (torch.stack(firsts) - answer.softmax(dim=1)[0, 0]).abs()
    assert found[0] == found[1] != found[2]
    assert all(float((possible - one).abs().min()) < 1e-5 for one in found)


def test_a_network_that_hears_nothing_does_not_move() -> None:
    [found] = moved(Deaf().eval(), torch.rand(1, 1, 4, 4))
    assert set(found.values()) == {0.0}

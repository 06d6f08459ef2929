"""What stands where a mask hides the image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from workers.perturbation.fillings import Canvas, make_filling
from workers.probe import Probe
from workers.probe.passes import Pass

BLACK, WHITE = -2.0, 3.0


def probe_of(images: Tensor, seeds: list[int] | None = None) -> Probe:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    bounds = [torch.full((len(images), images.shape[1]), bound) for bound in (BLACK, WHITE)]
    rows = range(len(images))
    return Probe(
        Pass(network, images, black=bounds[0], white=bounds[1]), rows, [0] * len(images), seeds=seeds
    )


def test_a_colour_is_between_black_and_white_of_each_channel() -> None:
    colours = make_filling(probe_of(torch.zeros(2, 3, 4, 5)), "#00ff80")

    assert colours.shape == (2, 3, 4, 5)
    torch.testing.assert_close(colours[1, :, 0, 0], torch.tensor([BLACK, WHITE, BLACK + 5 * 128 / 255]))


def test_a_colour_on_a_grey_image_is_its_lightness() -> None:
    grey = make_filling(probe_of(torch.zeros(1, 1, 2, 2)), "#ff0000")

    torch.testing.assert_close(grey, torch.full((1, 1, 2, 2), BLACK + 5 * 0.299))


def test_noise_lies_between_black_and_white_and_follows_the_seed() -> None:
    first, second, third = make_filling(probe_of(torch.zeros(3, 1, 30, 30), [4, 5, 4]), "noise")

    assert torch.equal(first, third)
    assert not torch.equal(first, second)
    assert BLACK <= float(first.min()) < BLACK + 0.1
    assert WHITE - 0.1 < float(first.max()) <= WHITE


@pytest.mark.parametrize("filling", ["mean", "blur", "noise", "inpainted", "#102030"])
def test_what_is_shown_is_the_image_and_what_is_hidden_is_not(filling: str) -> None:
    images = torch.randn(2, 3, 13, 10)
    masks = torch.ones(1, 2, 13, 10)
    masks[0, 1, 3:7, 2:9] = 0
    shown = Canvas(probe_of(images), filling).show(slice(None), masks)

    assert shown.shape == (2, 2, 3, 13, 10)
    torch.testing.assert_close(shown[:, 0], images)
    hidden = masks[0, 1] == 0
    torch.testing.assert_close(shown[:, 1, :, ~hidden], images[:, :, ~hidden])
    assert (shown[:, 1, :, hidden] - images[:, :, hidden]).abs().mean() > 0.3


def test_inpainting_carries_on_a_plane_and_keeps_a_flat_image() -> None:
    down, across = torch.meshgrid(torch.arange(16.0), torch.arange(24.0), indexing="ij")
    plane = torch.stack([0.1 * down, 0.05 * across, torch.full_like(down, 2.0)]).unsqueeze(0)
    masks = torch.ones(1, 1, 16, 24)
    masks[..., 6:9, 10:13] = 0
    shown = Canvas(probe_of(plane), "inpainted").show(slice(None), masks)

    assert (shown[0, 0] - plane[0]).abs().max() < 0.2
    torch.testing.assert_close(shown[0, 0, 2], plane[0, 2])


def test_where_nothing_is_shown_inpainting_is_the_mean_of_the_image() -> None:
    images = torch.randn(2, 3, 9, 7)
    shown = Canvas(probe_of(images), "inpainted").show(slice(None), torch.zeros(2, 1, 9, 7))

    means = images.mean((2, 3), keepdim=True).expand_as(images)
    torch.testing.assert_close(shown[:, 0], means)


def test_half_a_mask_is_half_way() -> None:
    images = torch.randn(1, 1, 4, 4)
    shown = Canvas(probe_of(images), "white").show(slice(None), torch.full((1, 1, 4, 4), 0.5))

    torch.testing.assert_close(shown[0], (images[0] + WHITE)[None] / 2)

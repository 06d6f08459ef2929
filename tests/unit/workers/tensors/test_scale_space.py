"""Blurs against convolution, and their derivatives against finite differences."""

from __future__ import annotations

import torch

from workers.models.torchvision_compat import torchvision
from workers.tensors.scale_space import ScaleSpace


def test_a_blur_is_a_convolution_with_a_gaussian_and_the_edge_goes_on() -> None:
    images = torch.rand(2, 3, 12, 17, dtype=torch.float64)
    space = ScaleSpace(images, 2.0)
    padded = torch.nn.functional.pad(images, (8,) * 4, mode="replicate")

    for sigma in (0.3, 1.1, 2.0):
        expected = torchvision.transforms.functional.gaussian_blur(padded, [17, 17], [sigma, sigma])
        found = space.at(slice(1, 2), torch.tensor([sigma]))
        torch.testing.assert_close(found[:, 0], expected[1:, :, 8:-8, 8:-8], rtol=1e-5, atol=1e-6)


def test_no_blur_is_the_image_and_a_flat_image_is_not_changed_by_any() -> None:
    images = torch.rand(1, 1, 5, 6)
    sigmas = torch.tensor([1e-6, 3.0])

    torch.testing.assert_close(ScaleSpace(images, 3.0).at(slice(None), sigmas)[:, 0], images)
    flat = ScaleSpace(torch.full((1, 1, 5, 6), 0.4), 3.0)
    torch.testing.assert_close(flat.at(slice(None), sigmas), torch.full((1, 2, 1, 5, 6), 0.4))
    assert flat.slopes(slice(None), sigmas).abs().max() < 1e-6


def test_slopes_are_what_finite_differences_find() -> None:
    space = ScaleSpace(torch.rand(2, 3, 7, 9, dtype=torch.float64), 4.0)
    sigmas, step = torch.tensor([0.4, 1.0, 3.9], dtype=torch.float64), 1e-6
    rise = space.at(slice(None), sigmas + step) - space.at(slice(None), sigmas - step)

    torch.testing.assert_close(space.slopes(slice(None), sigmas), rise / (2 * step), rtol=1e-6, atol=1e-8)

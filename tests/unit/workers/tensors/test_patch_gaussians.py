"""The Gaussian of patches against numpy: moments, conditionals, roots, and where nothing is left open."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from workers.tensors.patch_gaussians import PatchGaussian, PatchSums, patches_at, patches_of

ROWS, COLUMNS = slice(1, 3), slice(0, 2)


@pytest.fixture
def patches() -> Tensor:
    """Neighbours are alike, and channels too."""
    noise = torch.randn(400, 2, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, stride=1)
    return smooth + 0.5 * smooth.flip(1) + 0.2


def fitted(patches: Tensor) -> PatchGaussian:
    sums = PatchSums(patches.shape[1], patches.shape[2])
    for part in torch.split(patches, 150):
        sums.add(part)
    return sums.gaussian("drawn here")


def test_mean_and_covariance_are_those_of_numpy(patches: Tensor) -> None:
    gaussian = fitted(patches)

    flat = patches.flatten(1).numpy()
    np.testing.assert_allclose(gaussian.mean.flatten(), flat.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(gaussian.covariance, np.cov(flat, rowvar=False), atol=1e-6)
    assert (gaussian.side, gaussian.patches, gaussian.words) == (4, 400, "drawn here")


def test_what_is_given_the_rest_is_the_formula_of_the_books(patches: Tensor) -> None:
    gaussian = fitted(patches)
    law = gaussian.given_the_rest(ROWS, COLUMNS)

    inside = np.zeros((2, 4, 4), dtype=bool)
    inside[:, ROWS, COLUMNS] = True
    window = inside.flatten()
    covariance, mean = gaussian.covariance.double().numpy(), gaussian.mean.double().flatten().numpy()
    seen = patches[:5].flatten(1).numpy()[:, ~window]
    weights = np.linalg.solve(covariance[~window][:, ~window], covariance[~window][:, window])
    left = covariance[window][:, window] - covariance[window][:, ~window] @ weights
    np.testing.assert_allclose(
        law.means(patches[:5]), mean[window] + (seen - mean[~window]) @ weights, atol=1e-8
    )
    np.testing.assert_allclose(law.root @ law.root, left, atol=1e-10)
    np.testing.assert_allclose(law.root, law.root.mT, atol=1e-12)


def test_alone_a_window_varies_as_it_does_and_what_is_around_it_says_nothing(patches: Tensor) -> None:
    gaussian = fitted(patches)
    law = gaussian.alone(ROWS, COLUMNS)

    window = patches[:, :, ROWS, COLUMNS].flatten(1).numpy()
    np.testing.assert_allclose(law.root @ law.root, np.cov(window, rowvar=False), atol=1e-6)
    np.testing.assert_allclose(law.means(patches[:2]), np.stack([window.mean(axis=0)] * 2), atol=1e-6)


def test_smaller_patches_are_a_part_of_larger_ones(patches: Tensor) -> None:
    found, expected = fitted(patches).cropped(3), fitted(patches[:, :, :3, :3])

    torch.testing.assert_close(found.mean, expected.mean)
    torch.testing.assert_close(found.covariance, expected.covariance)


def test_what_the_rest_fixes_does_not_vary() -> None:
    flat = torch.randn(50, 1, 1, 1, dtype=torch.float64).expand(-1, 1, 4, 4)  # every pixel is like the others
    law = fitted(flat).given_the_rest(ROWS, COLUMNS)

    torch.testing.assert_close(law.means(flat), flat.flatten(1)[:, :4], atol=1e-5, rtol=0)
    assert law.root.abs().max() < 1e-3


def test_without_any_variance_the_mean_is_what_stands_there() -> None:
    gaussian = PatchGaussian(torch.full((1, 4, 4), 0.3), torch.zeros(16, 16), 2, "")
    law = gaussian.given_the_rest(ROWS, COLUMNS)

    torch.testing.assert_close(law.means(torch.rand(3, 1, 4, 4)), torch.full((3, 4), 0.3).double())
    assert not law.root.any()


def test_one_patch_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="two patches"):
        fitted(torch.zeros(1, 1, 2, 2))


def test_patches_are_cut_where_they_stand() -> None:
    images = torch.rand(2, 3, 7, 9)

    cut = patches_of(images, 4, 3)

    assert cut.shape == (2 * 2 * 2, 3, 4, 4)
    assert torch.equal(cut[5], images[1, :, 0:4, 3:7])
    assert torch.equal(patches_at(images[0], [3, 0], [5, 2], 4)[0], images[0, :, 3:7, 5:9])

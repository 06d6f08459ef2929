"""What an image is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import pytest
import torch
from torch import Tensor

from workers.models.torchvision_compat import torchvision
from workers.tensors.baselines import Baseline, blur, make_baselines


@dataclass
class Images:
    images: Tensor
    black: Tensor
    white: Tensor


@pytest.fixture
def subject() -> Images:
    images = torch.rand(2, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    return Images(images, torch.full((2, 3, 1, 1), -2.0), torch.full((2, 3, 1, 1), 3.0))


@pytest.mark.parametrize("baseline", get_args(Baseline))
def test_a_baseline_has_the_shape_of_the_images(subject: Images, baseline: Baseline) -> None:
    assert make_baselines(subject, baseline).shape == subject.images.shape


def test_constants_are_in_the_models_units(subject: Images) -> None:
    assert make_baselines(subject, "zero").count_nonzero() == 0
    assert (make_baselines(subject, "black") == -2).all()
    assert (make_baselines(subject, "white") == 3).all()
    torch.testing.assert_close(
        make_baselines(subject, "mean")[1, 2], torch.full((20, 30), float(subject.images[1, 2].mean()))
    )


def test_blur_is_a_gaussian_that_keeps_flat_images_and_the_middle_of_a_large_one() -> None:
    flat = torch.full((1, 2, 9, 9), 0.7)
    torch.testing.assert_close(blur(flat, 5.0), flat)

    images = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    expected = torchvision.transforms.functional.gaussian_blur(images, [13, 13], [2.0, 2.0])
    torch.testing.assert_close(blur(images, 2.0)[..., 8:-8, 8:-8], expected[..., 8:-8, 8:-8])

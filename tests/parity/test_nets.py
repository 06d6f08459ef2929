"""The networks of the comparison are worth comparing on."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.parity.nets import NAMES, assert_close_maps, images, network, normalised


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_finite_and_differ_by_image_and_class(name: str) -> None:
    with torch.no_grad():
        logits = network(name)(images(name))

    assert logits.isfinite().all()
    assert (logits[0] - logits[1]).abs().max() > 1e-3 * logits.abs().max()
    assert logits.std(dim=1).min() > 1e-3
    assert not any(parameter.requires_grad for parameter in network(name).parameters())


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "mobilenet_v2", "densenet121"])
def test_every_batch_norm_does_something(name: str) -> None:
    for norm in network(name).modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_mean.abs().max() > 1e-3
            assert norm.bias.abs().max() > 1e-3


def test_maps_of_another_shape_or_value_are_not_close() -> None:
    expected = torch.tensor([[[0.0, 2.0]], [[1.0, 4.0]]])

    assert_close_maps(expected + 1e-4, expected)
    with pytest.raises(AssertionError, match="relative errors"):
        assert_close_maps(expected + torch.tensor([[[1e-3, 0.0]], [[0.0, 0.0]]]), expected)
    with pytest.raises(AssertionError):
        assert_close_maps(expected[:1], expected)


def test_normalised_maps_reach_from_zero_to_one() -> None:
    maps = normalised(torch.tensor([[[-1.0, 3.0]], [[2.0, 2.0]]]))

    assert maps.tolist() == [[[0.0, 1.0]], [[0.0, 0.0]]]

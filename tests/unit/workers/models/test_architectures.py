"""Networks by name."""

from __future__ import annotations

import pytest
import torch

from workers.models.architectures import build
from workers.phantom.nets import ARCHITECTURES


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_phantoms_are_built_from_their_seed_frozen_and_in_evaluation_mode(name: str) -> None:
    first, second = (build(f"phantom:{name}", {}, seed=3) for _ in range(2))

    image = torch.rand(1, 1, 96, 96)
    assert torch.equal(first(image), second(image))
    assert not first.training
    assert not any(parameter.requires_grad for parameter in first.parameters())


@pytest.mark.parametrize("architecture", ["phantom:giant", "torchvision:fasterrcnn_resnet50_fpn"])
def test_what_is_no_classifier_of_ours_is_refused(architecture: str) -> None:
    with pytest.raises(ValueError, match=r"no phantom 'giant'|no classifier 'fasterrcnn"):
        build(architecture, {})


def test_a_head_that_begins_at_zero_answers_differently_to_different_images() -> None:
    sizes = {"image_size": 32, "patch_size": 8, "num_layers": 1, "num_heads": 1, "num_classes": 3}
    network = build("torchvision:VisionTransformer", {**sizes, "hidden_dim": 8, "mlp_dim": 8})

    first, second = network(torch.randn(2, 3, 32, 32))

    assert not torch.equal(first, second)

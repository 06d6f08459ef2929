"""Which layer is read when none is named, on the architectures that people use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.networks import SUBJECTS, ReusedInPlace, seeded, squeezenet, vision_transformer
from workers.models.architectures import build
from workers.models.torchvision_compat import torchvision
from workers.probe.layers import Layers, layers_of


def of(name: str) -> Callable[[], nn.Module]:
    return lambda: build(f"torchvision:{name}", {"num_classes": 10})


def swin() -> nn.Module:
    """Two stages of shifted windows; tokens stay on their grid, channels last."""
    network: nn.Module = torchvision.models.SwinTransformer(
        patch_size=[4, 4],
        embed_dim=8,
        depths=[2, 2],
        num_heads=[1, 2],
        window_size=[4, 4],
        num_classes=10,
    )
    return network.eval()


@pytest.mark.parametrize(
    ("make", "size", "layer", "grid"),
    [
        (of("resnet18"), (64, 96), "layer4", (2, 3)),
        (of("mobilenet_v2"), (64, 64), "features", (2, 2)),
        (of("densenet121"), (64, 64), "features", (2, 2)),
        (of("convnext_tiny"), (64, 64), "features", (2, 2)),
        (swin, (64, 96), "permute", (8, 12)),
        (squeezenet, (64, 64), "classifier.2", (3, 3)),
        (vision_transformer, (32, 32), "encoder.layers.encoder_layer_2.ln_1", (4, 4)),
        (SUBJECTS["vgg"].make, (37, 29), "0", (9, 7)),
    ],
    ids=["resnet", "mobilenet", "densenet", "convnext", "swin", "squeezenet", "vit", "vgg"],
)
def test_the_default_is_the_last_grid_that_matters(
    make: Callable[[], nn.Module], size: tuple[int, int], layer: str, grid: tuple[int, int]
) -> None:
    found = layers_of(make(), torch.zeros(1, 3, *size)).resolve(None, gradients=True)

    assert found.path == layer
    assert (found.layout.height, found.layout.width) == grid


def test_channels_last_layers_can_be_named() -> None:
    found = layers_of(swin(), torch.zeros(1, 3, 64, 96)).resolve("features.1")

    assert (found.layout.kind, found.layout.height, found.layout.width) == ("channels-last", 16, 24)


def test_a_module_that_is_called_again_counts_at_its_last_call() -> None:
    layers = layers_of(seeded(ReusedInPlace), torch.zeros(1, 1, 33, 47))

    assert list(layers.named) == ["stem", "body", "relu"]
    assert layers.default == "relu"


def test_the_trial_runs_once_for_a_network_and_size() -> None:
    network = SUBJECTS["vgg"].network()
    calls = []
    network.register_forward_hook(lambda *_: calls.append(1))

    for size in ((37, 29), (37, 29), (40, 40)):
        layers_of(network, torch.zeros(1, 3, *size))

    assert len(calls) == 2


def test_a_network_that_answers_the_same_to_everything_has_no_default() -> None:
    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.see = nn.Conv2d(3, 4, 1)

        def forward(self, images: Tensor) -> Tensor:
            return torch.as_tensor(self.see(images)).mean((2, 3)).detach()[:, :2]

    with pytest.raises(NotExplainable, match="no layer whose output keeps a grid"):
        layers_of(Deaf().eval(), torch.zeros(1, 3, 8, 8)).resolve(None)


def test_a_network_of_no_modules_has_nothing_to_name() -> None:
    with pytest.raises(NotExplainable, match="it computes none"):
        Layers({}, None).resolve(None)


def test_long_lists_of_names_are_cut() -> None:
    layers = Layers({}, None, vectors=tuple(f"fc{number} (3,)" for number in range(9)))

    with pytest.raises(NotExplainable, match=r"fc5 \(3,\) and 3 more"):
        layers.resolve(None)

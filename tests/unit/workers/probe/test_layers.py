"""Which layer is read when none is named, on the architectures that people use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jobs.errors import NotExplainable
from tests.unit.workers.networks import SUBJECTS, ReusedInPlace, seeded, squeezenet, vision_transformer
from workers.models.architectures import build
from workers.models.torchvision_compat import torchvision
from workers.probe.layers import Layers, layers_of


def of(name: str, **arguments: bool) -> Callable[[], nn.Module]:
    return lambda: build(f"torchvision:{name}", {"num_classes": 10, **arguments})


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


def maxvit() -> nn.Module:
    """Convolutions, windows and grids of 2 x 2 in two stages; 16 windows in one, as wide as its channels."""
    network: nn.Module = torchvision.models.MaxVit(
        input_size=(64, 64),
        stem_channels=8,
        partition_size=2,
        block_channels=[8, 16],
        block_layers=[1, 1],
        head_dim=4,
        stochastic_depth_prob=0.0,
        num_classes=10,
    )
    return network.eval()


def phantom(name: str) -> Callable[[], nn.Module]:
    return lambda: build(f"phantom:{name}", {})


class Attending(nn.Module):
    """Patches by a linear layer, and attention whose weights are the output of a module, after the keys."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.patches = nn.Linear(3 * 8 * 8, 16)
        self.keys, self.values = nn.Linear(16, 16), nn.Linear(16, 16)
        self.weights = nn.Softmax(dim=-1)
        self.head = nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(F.unfold(images, 8, stride=8).transpose(1, 2))
        values = self.values(tokens)
        keys = self.keys(tokens)[:, None].expand(-1, self.heads, -1, -1)
        weights = self.weights((keys @ keys.transpose(2, 3)).squeeze(1))
        mixed = weights.reshape(len(images), self.heads, *weights.shape[-2:]).mean(dim=1) @ values
        return torch.as_tensor(self.head(mixed.mean(dim=1)))


FAMILIES = {
    "alexnet": "features",
    "vgg11_bn": "features",
    "resnet18": "layer4",
    "resnext50_32x4d": "layer4",
    "densenet121": "features",
    "googlenet": "inception5b",
    "mnasnet0_5": "layers",
    "mobilenet_v2": "features",
    "mobilenet_v3_small": "features",
    "efficientnet_b0": "features",
    "efficientnet_v2_s": "features",
    "regnet_y_400mf": "trunk_output",
    "shufflenet_v2_x0_5": "conv5",
    "convnext_tiny": "features",
    "swin_t": "permute",
    "swin_v2_t": "permute",
}


@pytest.mark.parametrize(("name", "layer"), FAMILIES.items())
def test_the_default_in_a_family_of_torchvision_is_what_people_name(name: str, layer: str) -> None:
    network = of(name, **({"init_weights": False} if name == "googlenet" else {}))()

    found = layers_of(network, torch.zeros(1, 3, 64, 96)).resolve(None, gradients=True)

    assert found.path == layer
    assert (found.layout.height, found.layout.width) == ((1, 2) if name == "alexnet" else (2, 3))


@pytest.mark.parametrize(
    ("make", "shape", "layer", "grid"),
    [
        (of("inception_v3", init_weights=False), (3, 107, 140), "Mixed_7c", (2, 3)),
        (of("resnet18"), (3, 67, 131), "layer4", (3, 5)),
        (swin, (3, 64, 96), "permute", (8, 12)),
        (swin, (3, 67, 99), "permute", (8, 12)),
        (maxvit, (3, 64, 64), "blocks.1", (8, 8)),
        (squeezenet, (3, 64, 64), "classifier.2", (3, 3)),
        (vision_transformer, (3, 32, 32), "encoder.layers.encoder_layer_2.ln_1", (4, 4)),
        (SUBJECTS["vgg"].make, (3, 37, 29), "0", (9, 7)),
        (phantom("resnet"), (1, 97, 61), "layer3", (13, 8)),
        (phantom("vgg"), (1, 96, 96), "features", (12, 12)),
        (phantom("vit"), (1, 96, 96), "blocks.1.attention.values", (12, 12)),
        (lambda: Attending(1).eval(), (3, 32, 40), "keys", (4, 5)),
        (lambda: Attending(3).eval(), (3, 32, 32), "keys", (4, 4)),
    ],
)
def test_the_default_is_the_last_grid_that_matters(
    make: Callable[[], nn.Module], shape: tuple[int, int, int], layer: str, grid: tuple[int, int]
) -> None:
    found = layers_of(make(), torch.zeros(1, *shape)).resolve(None, gradients=True)

    assert found.path == layer
    assert (found.layout.height, found.layout.width) == grid


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (of("resnet18"), torch.bfloat16),
        (of("resnet18"), torch.float64),
        (of("convnext_tiny"), torch.float16),
        (swin, torch.float16),
        (swin, torch.bfloat16),
    ],
)
def test_neither_dtype_nor_memory_format_changes_the_layers(
    make: Callable[[], nn.Module], dtype: torch.dtype
) -> None:
    network = make()
    expected = layers_of(network, torch.zeros(1, 3, 64, 96))
    other = make().to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    found = layers_of(other, torch.zeros(1, 3, 64, 96, dtype=dtype))

    assert found.named == expected.named
    assert found.default == expected.default


def test_windows_are_no_grid() -> None:
    layers = layers_of(maxvit(), torch.zeros(1, 3, 64, 64))
    inside = [layer for layer in layers.named.values() if "attention." in layer.path]

    assert {(layer.layout.height, layer.layout.width) for layer in inside} == {(16, 16), (8, 8)}
    assert all(layer.path.endswith("departition_op") for layer in inside)
    with pytest.raises(NotExplainable, match=r"window_attention\.attn_layer.*there are blocks\.1"):
        layers.resolve("blocks.1.layers.0.layers.window_attention.attn_layer")


def test_channels_last_layers_can_be_named() -> None:
    found = layers_of(swin(), torch.zeros(1, 3, 64, 96)).resolve("features.1")

    assert (found.layout.kind, found.layout.height, found.layout.width) == ("channels-last", 16, 24)


def test_a_layer_whose_grid_no_longer_matters_is_refused_where_gradients_are_read() -> None:
    layers = layers_of(vision_transformer(), torch.zeros(1, 3, 32, 32))

    assert layers.resolve("encoder.ln").layout.prefix == 1
    with pytest.raises(
        NotExplainable, match=r"for example encoder\.layers\.encoder_layer_2\.ln_1, "
    ) as caught:
        layers.resolve("encoder.ln", gradients=True)
    assert [problem.field for problem in caught.value.problems] == ["layer"]


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

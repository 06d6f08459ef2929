"""Layers, nodes and paths: what counts as one layer, and which weights lead out of a node."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.causal.nets import images, network
from workers.causal.discovery import anatomy
from workers.causal.skeleton import NONE, Shortcut, Weights
from workers.phantom.nets import PhantomResNet, PhantomViT


def layers(kind: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    found = anatomy(network(kind), images()).skeleton.layers
    return {shape.name: (shape.nodes, shape.children) for shape in found}


def test_a_chain_of_layers_ends_at_the_classes() -> None:
    assert layers("lenet") == {
        "conv1": (4, ("conv2",)),
        "conv2": (5, ("fc1",)),
        "fc1": (6, ("classes",)),
        "classes": (3, ()),
    }


def test_a_block_is_one_layer_into_which_weights_and_the_shortcut_lead() -> None:
    found = layers("residual")
    assert found["stem"] == (4, ("block1.conv1", "block1"))
    assert found["block1.conv1"] == (4, ("block1",))
    assert found["block1"] == (4, ("block2.conv1", "block2"))
    assert found["block2"] == (6, ("classes",))
    assert "block1.conv2" not in found
    assert "block2.down" not in found
    into = anatomy(network("residual"), images()).into("block2")
    assert [(type(one), one.parent) for one in into] == [(Weights, "block2.conv1"), (Weights, "block1")]


def test_gates_and_joined_branches() -> None:
    found = layers("gated")
    [product] = [
        name for name in found if name not in dict(network("gated").named_modules()) | {"classes": 0}
    ]
    assert found["depthwise"] == (6, ("squeeze", product))
    assert found["squeeze"] == (3, ("excite",))
    assert found["excite"] == (6, (product,))
    assert found[product] == (6, ("left", "right"))
    assert found["left"] == found["right"] == (4, ("last",))


def test_columns_of_a_flattened_channel_belong_to_its_node() -> None:
    [paths] = anatomy(network("lenet"), images()).out_of("conv2")
    assert isinstance(paths, Weights)
    assert paths.nodes.tolist() == [channel for channel in range(5) for _ in range(9)]


def test_columns_of_joined_branches_belong_to_the_nodes_of_each() -> None:
    subject = anatomy(network("gated"), images())
    columns = {name: one.nodes for name in ("left", "right") for one in subject.out_of(name)}
    assert columns["left"].tolist() == [0, 1, 2, 3] + [NONE] * 4
    assert columns["right"].tolist() == [NONE] * 4 + [0, 1, 2, 3]


def test_a_shortcut_leads_from_each_channel_to_the_same() -> None:
    [shortcut] = [
        one for one in anatomy(network("residual"), images()).out_of("stem") if one.child == "block1"
    ]
    assert isinstance(shortcut, Shortcut)
    assert shortcut.ends.tolist() == [0, 1, 2, 3]


def test_the_weights_are_named_as_in_the_network() -> None:
    kind = network("residual")
    names = set(anatomy(kind, images()).weights.values())
    assert (
        {"block1.conv1.weight", "block2.down.weight", "fc.weight"}
        <= names
        <= dict(kind.named_parameters()).keys()
    )


def test_shares_fall_from_the_bottom_to_the_top() -> None:
    with torch.no_grad():
        found = anatomy(PhantomResNet().eval(), torch.zeros(2, 1, 96, 96)).skeleton.layers
    shares = [shape.share for shape in found]
    assert shares == sorted(shares, reverse=True)
    assert 0.7 < shares[0] < 1
    assert shares[-1] == 0


class Padded(nn.Module):
    """Puts a border of ones around, and constant channels beside, what its convolution made."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(2, 4, 1), nn.Conv2d(6, 3, 10)
        self.beside = nn.Parameter(torch.full((1, 2, 8, 8), 3.0))

    def forward(self, images: Tensor) -> Tensor:
        features = torch.cat([self.conv(images), self.beside.expand(images.shape[0], -1, -1, -1)], dim=1)
        logits: Tensor = self.last(nn.functional.pad(features, (1, 1, 1, 1), value=1.0)).flatten(1)
        return logits


def test_constants_beside_a_value_belong_to_nobody() -> None:
    [paths] = anatomy(Padded().eval(), torch.zeros(2, 2, 8, 8)).out_of("conv")
    assert isinstance(paths, Weights)
    assert paths.nodes.tolist() == [0, 1, 2, 3, NONE, NONE]


class Mixing(nn.Module):
    """Averages over its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 4, 1), nn.Linear(64, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.conv(images).mean(1).flatten(1))
        return logits


@pytest.mark.parametrize(("kind", "call"), [(PhantomViT, "matmul"), (Mixing, "mean")])
def test_what_mixes_channels_without_weights_is_named(kind: type[nn.Module], call: str) -> None:
    shape = (1, 96, 96) if kind is PhantomViT else (2, 8, 8)
    with pytest.raises(NotExplainable, match=call):
        anatomy(kind().eval(), torch.zeros(2, *shape))


def test_a_layer_that_there_is_not_is_named() -> None:
    with pytest.raises(NotExplainable, match="there are conv1, conv2, fc1, classes") as raised:
        anatomy(network("lenet"), images()).out_of("conv9")
    assert [problem.field for problem in raised.value.problems] == ["layer"]

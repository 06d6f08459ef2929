"""Equation 3 by hand: the signals of chosen parents through the filters to chosen nodes, without biases."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.causal.nets import Lenet, Residual, images, network
from workers.causal.discovery import anatomy
from workers.causal.responses import Pathways, has_grid, responses


@torch.no_grad()
def of(kind: str, layer: str, nodes: list[int], parents: dict[str, list[int]]) -> Tensor:
    return responses(anatomy(network(kind), images()), images(), Pathways(layer, nodes, parents))


def test_a_convolution() -> None:
    net = cast(Lenet, network("lenet"))
    found = of("lenet", "conv2", [3, 0], {"conv1": [1, 2]})
    with torch.no_grad():
        signals = nn.functional.max_pool2d(nn.functional.relu(net.conv1(images())), 2)
    expected = torch.zeros(3, 2, 3, 3, dtype=torch.float64)
    for place, node in enumerate([3, 0]):
        for parent in (1, 2):
            for row in range(3):
                for column in range(3):
                    window = signals[:, parent, row : row + 2, column : column + 2]
                    filtered = (window * net.conv2.weight[node, parent].detach()).sum(dim=(1, 2))
                    expected[:, place, row, column] += filtered
    assert found.flatten().tolist() == pytest.approx(expected.flatten().tolist())


def test_a_block_has_what_comes_through_its_weights_and_around_them() -> None:
    net = cast(Residual, network("residual"))
    found = of("residual", "block1", [2], {"block1.conv1": [0], "stem": [2, 3]})
    block = net.block1
    with torch.no_grad():
        stem = nn.functional.relu(net.stem(images()))
        middle = nn.functional.relu(block.bn1(block.conv1(stem)))
        variance = cast(Tensor, block.bn2.running_var)
        scale = block.bn2.weight / (variance + block.bn2.eps).sqrt()
        inside = nn.functional.conv2d(middle[:, :1], block.conv2.weight[2:3, :1], padding=1) * scale[2]
    assert found.flatten().tolist() == pytest.approx((inside + stem[:, 2:3]).flatten().tolist())
    around_alone = of("residual", "block1", [1], {"stem": [2, 3]})
    assert not around_alone.any()


def test_all_parents_together_are_the_layer_without_its_bias() -> None:
    net = cast(Residual, network("residual"))
    found = of(
        "residual", "block2", list(range(6)), {"block2.conv1": list(range(4 + 2)), "block1": [0, 1, 2, 3]}
    )
    made: list[Tensor] = []
    net.block2.bn2.register_forward_hook(lambda _, __, output: made.append(output))
    net.block2.down.register_forward_hook(lambda _, __, output: made.append(output))
    with torch.no_grad():
        net(images())
    whole = made[0] + made[1]
    difference = whole - found
    constant = difference.amax(dim=(0, 2, 3)) - difference.amin(dim=(0, 2, 3))
    assert constant.tolist() == pytest.approx([0.0] * 6, abs=1e-9)


def test_layers_without_a_grid_are_named() -> None:
    subject = anatomy(network("lenet"), images())
    assert [layer for layer in subject.sizes if has_grid(subject, layer)] == ["conv2"]
    with pytest.raises(NotExplainable, match="fc1") as raised:
        responses(subject, images(), Pathways("fc1", [0], {"conv2": [0]}))
    assert [problem.field for problem in raised.value.problems] == ["layer"]

"""Changed values answer as changed weights do, and shortcuts as a channel that is scaled where it is read."""

from __future__ import annotations

import copy
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from tests.unit.workers.causal.nets import KINDS, Lenet, Residual, images, network
from workers.causal.discovery import anatomy
from workers.causal.interventions import Interventions, Weakened
from workers.causal.skeleton import NONE, Anatomy, Weights

DAMPING = torch.tensor([1.0, 0.5, 0.2], dtype=torch.float64)


def answers(subject: Anatomy, layer: str, targets: dict[str, list[int]], nodes: list[int]) -> Tensor:
    """(k, 3, K)."""
    paths = Interventions(subject, layer, targets)
    with torch.no_grad():
        return paths.answers(paths.meet(images()), Weakened(torch.tensor(nodes), DAMPING))


def with_weights(
    kind: nn.Module, subject: Anatomy, paths: list[Weights], node: int, factor: float
) -> nn.Module:
    """A copy of a network whose weights at the columns of a node, and the targets' rows, are multiplied."""
    changed = copy.deepcopy(kind)
    parameters = dict(changed.named_parameters())
    for one in paths:
        weight = parameters[subject.weights[one.call.name]].data
        own = weight.shape[1]
        per_group = weight.shape[0] * own // len(one.nodes)
        for column in (one.nodes == node).nonzero()[:, 0].tolist():
            for row in one.rows[one.rows != NONE].tolist():
                if row // per_group == column // own:
                    weight[row, column % own] *= factor
    return changed


@pytest.mark.parametrize("kind", KINDS)
def test_interventions_by_values_are_interventions_on_weights(kind: str) -> None:
    net = network(kind)
    subject, tested = anatomy(net, images()), 0
    for shape in subject.skeleton.layers[:-1]:
        paths = subject.out_of(shape.name)
        if not all(isinstance(one, Weights) for one in paths):
            continue
        tested += 1
        whole = {name: list(range(subject.sizes[name])) for name in shape.children}
        found = answers(subject, shape.name, whole, list(range(shape.nodes)))
        for node in range(shape.nodes):
            for place, damping in enumerate(DAMPING.tolist()):
                weights = [one for one in paths if isinstance(one, Weights)]
                brute = with_weights(net, subject, weights, node, 1 - damping)
                with torch.no_grad():
                    expected = brute(images()[place : place + 1])[0]
                assert found[node, place].tolist() == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-12)
    assert tested >= 2


def test_only_paths_to_the_targets_are_weakened() -> None:
    net = cast(Lenet, network("lenet"))
    found = answers(anatomy(net, images()), "fc1", {"classes": [2, 2]}, [1])  # said twice, taken once
    changed = copy.deepcopy(net)
    changed.fc2.weight.data[2, 1] = 0
    with torch.no_grad():
        assert found[0, 0].tolist() == pytest.approx(changed(images()[:1])[0].tolist())
        assert found[0, :, :2].flatten().tolist() == pytest.approx(net(images())[:, :2].flatten().tolist())


@pytest.mark.parametrize(
    ("kind", "layer", "activation"),
    [("residual", "stem", "relu"), ("gated", "depthwise", "silu"), ("channels-last", "stem", None)],
)
def test_all_paths_of_a_node_together_are_its_channel(
    kind: str, layer: str, activation: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every node above as a target, weights and shortcut weaken the channel wherever it is read."""
    net = network(kind)
    subject = anatomy(net, images())
    [shape] = [one for one in subject.skeleton.layers if one.name == layer]
    whole = {name: list(range(subject.sizes[name])) for name in shape.children}
    found = answers(subject, layer, whole, [0, 2])
    for number, node in enumerate([0, 2]):
        factors = torch.ones(3, shape.nodes, 1, 1, dtype=torch.float64)
        factors[:, node, 0, 0] = 1 - DAMPING
        changed = network(kind)
        with monkeypatch.context() as patch, torch.no_grad():
            scale_what_is_read(changed, layer, activation, factors, patch)
            wanted = changed(images())
        assert found[number].flatten().tolist() == pytest.approx(wanted.flatten().tolist())


def scale_what_is_read(
    net: nn.Module, layer: str, activation: str | None, factors: Tensor, patch: pytest.MonkeyPatch
) -> None:
    """What a layer returns is scaled, behind its activation if it has one."""
    if activation is None:
        net.get_submodule(layer).register_forward_hook(lambda _, __, output: output * factors)
        return
    made: list[Tensor] = []
    net.get_submodule(layer).register_forward_hook(lambda _, __, output: made.append(output))
    original = getattr(nn.functional, activation)

    def scaled(values: Tensor) -> Tensor:
        result: Tensor = original(values)
        return result * factors if any(values is one for one in made) else result

    patch.setattr(nn.functional, activation, scaled)


def test_a_shortcut_counts_for_the_targets_that_are_made_of_it() -> None:
    """The block's sum without channel 1 of what goes around; no weight is weakened, as conv1 is no target."""
    net = cast(Residual, network("residual"))
    found = answers(anatomy(net, images()), "stem", {"block1": [1]}, [1, 2])
    with torch.no_grad():
        stem = nn.functional.relu(net.stem(images()))
        around = stem.clone()
        around[:, 1] *= (1 - DAMPING).view(-1, 1, 1)
        block = net.block1
        residue = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(stem)))))
        expected = net.fc(net.block2(torch.relu(residue + around)).mean([2, 3]))
        assert found[0].flatten().tolist() == pytest.approx(expected.flatten().tolist())
        assert found[1].flatten().tolist() == pytest.approx(net(images()).flatten().tolist())


def test_nodes_without_a_path_to_a_target_are_not_reached() -> None:
    subject = anatomy(network("gated"), images())
    [product] = [shape.name for shape in subject.skeleton.layers if shape.children == ("left", "right")]
    right = Interventions(subject, product, {"right": [0]})
    assert right.reached.tolist() == [True] * 3 + [False] * 3  # the first of two groups


def test_what_a_node_brings_is_the_mean_of_its_product_with_the_filter() -> None:
    net = cast(Lenet, network("lenet"))
    paths = Interventions(anatomy(net, images()), "conv1", {"conv2": [0, 3]})
    with torch.no_grad():
        [(layer, ends, means)] = paths.brought(paths.meet(images()), 2)
        read = nn.functional.max_pool2d(torch.relu(net.conv1(images())), 2)
        made = nn.functional.conv2d(read[:, 2:3], net.conv2.weight[[0, 3], 2:3])
    assert (layer, ends.tolist()) == ("conv2", [0, 3])
    assert means.tolist() == pytest.approx(made.mean([0, 2, 3]).tolist())


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_images_and_nodes_one_by_one_answer_as_together(kind: str) -> None:
    subject = anatomy(network(kind), images())
    for shape in subject.skeleton.layers[:-1]:
        paths = Interventions(subject, shape.name, {name: [0, 2] for name in shape.children})
        nodes = torch.arange(shape.nodes)
        together = paths.answers(paths.meet(images()), Weakened(nodes, DAMPING))
        for image in range(3):
            met, damping = paths.meet(images()[image : image + 1]), DAMPING[image : image + 1]
            of_image = paths.answers(met, Weakened(nodes, damping))
            single = [paths.answers(met, Weakened(nodes[[node]], damping)) for node in range(shape.nodes)]
            for alone in (of_image, torch.cat(single)):
                expected = together[:, image].flatten().tolist()
                assert alone.flatten().tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_network_is_as_it_was() -> None:
    net = network("residual")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    answers(anatomy(net, images()), "block1", {"block2": [0, 1], "block2.conv1": [2]}, [0, 1, 2])
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())

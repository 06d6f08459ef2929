"""Equation 3 added up over a layer, by hand; single filters; whose graph is used, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import workers
from jobs.causal import CausalGraph, Layer
from jobs.errors import NotExplainable
from tests.unit.workers.causal.nets import Lenet, Residual, images, network
from tests.unit.workers.graphs import graph_of, layer_of
from workers.declare import Relevance
from workers.explainer import choose, explained

CONV1 = layer_of("conv1", [-0.3, None, -0.1, None])
CONV2 = layer_of("conv2", [-0.5, None, 0.4, -0.25, None])
STEM = layer_of("stem", [None, 0.2, -0.3, -0.1])
INSIDE = layer_of("block1.conv1", [-0.6, None, None, None])
BLOCK1 = layer_of("block1", [None, None, -0.2, None])
BLOCK2 = layer_of("block2", [-0.3, None, None, -0.1, None, None])


def relevance(
    kind: str,
    layers: Sequence[Layer],
    *,
    targets: Sequence[int] = (1, 1, 1),
    graphs: Sequence[CausalGraph] | None = None,
    **params: Any,
) -> Relevance:
    """What the method says of three images; of class 1 there is the graph of some layers."""
    given = [graph_of(1, layers)] if graphs is None else graphs
    chosen = choose("causal", params)
    with torch.no_grad():
        [asked] = explained(network(kind), images(), list(targets), *chosen, graph=given)
        return asked.explainer.explain(asked.probe)


def enlarged(maps: Tensor) -> Tensor:
    return functional.interpolate(maps[:, None], (8, 8), mode="bilinear", align_corners=False)[:, 0]


def lenet_signals() -> Tensor:
    net = cast(Lenet, network("lenet"))
    with torch.no_grad():
        return functional.max_pool2d(functional.relu(net.conv1(images())), 2)


def residual_at_block1() -> Tensor:
    """|-0.2| of node 2: of node 0 through the weights and a batch norm, and around them if 2 is a parent."""
    net = cast(Residual, network("residual"))
    with torch.no_grad():
        stem = functional.relu(net.stem(images()))
        middle = functional.relu(net.block1.bn1(net.block1.conv1(stem)))
        scale = net.block1.bn2.weight / (cast(Tensor, net.block1.bn2.running_var) + net.block1.bn2.eps).sqrt()
        inside = functional.conv2d(middle[:, :1], net.block1.conv2.weight[2:3, :1], padding=1) * scale[2]
        return 0.2 * (inside + stem[:, 2:3])[:, 0]


def test_a_layer_of_weights_by_loops() -> None:
    net, signals = cast(Lenet, network("lenet")), lenet_signals()
    expected = torch.zeros(3, 3, 3, dtype=torch.float64)
    for effect, node in ((0.5, 0), (0.25, 3)):
        for parent in (0, 2):
            for row in range(3):
                for column in range(3):
                    window = signals[:, parent, row : row + 2, column : column + 2]
                    filtered = (window * net.conv2.weight[node, parent].detach()).sum(dim=(1, 2))
                    expected[:, row, column] += effect * filtered

    found = relevance("lenet", [CONV1, CONV2])

    torch.testing.assert_close(found.maps, enlarged(expected))
    assert (found.layer, found.native_grid) == ("conv2", (3, 3))
    assert found.details is not None
    assert found.details[0]["nodes"] == 2
    assert found.details[0]["parents"] == {"conv1": 2}


def test_a_layer_that_is_a_sum_has_what_comes_through_weights_and_around_them() -> None:
    found = relevance("residual", [STEM, INSIDE, BLOCK1])

    torch.testing.assert_close(found.maps, enlarged(residual_at_block1()))
    assert found.layer == "block1"


def test_where_no_parent_stood_out_all_without_a_role_are_parents() -> None:
    undecided = layer_of("conv1", [None, 0.3, None, None])
    [node] = [layer_of("conv2", [-1.0, None, None, None, None])]
    net, signals = cast(Lenet, network("lenet")), lenet_signals()
    signals[:, 1] = 0
    expected = functional.conv2d(signals, net.conv2.weight[:1].detach())[:, 0]

    torch.testing.assert_close(relevance("lenet", [undecided, node]).maps, enlarged(expected))


@pytest.mark.parametrize(
    ("kind", "layers", "count"),
    [
        ("lenet", [CONV1, layer_of("conv2", [None, -0.7])], 2),
        ("residual", [STEM, INSIDE, BLOCK1], 2),
        (
            "gated",
            [layer_of("right", [-0.2] * 4), layer_of("left", [-0.1] * 4), layer_of("last", [-1.0])],
            8,
        ),
    ],
)
def test_all_filters_of_one_node_add_up_to_the_whole(kind: str, layers: list[Layer], count: int) -> None:
    found = relevance(kind, layers, filters=16)

    assert [part.name for part in found.parts] == [f"filter-{place}" for place in range(1, 17)]
    torch.testing.assert_close(torch.stack([part.values for part in found.parts]).sum(dim=0), found.maps)
    assert found.details is not None
    for row, words in enumerate(found.details):
        strengths = [one["strength"] for one in words["filters"]]
        assert [one["part"] for one in words["filters"]] == [f"filter-{n + 1}" for n in range(len(strengths))]
        assert strengths == sorted(strengths, reverse=True)
        assert 1 <= len(strengths) <= count
        for place, strength in enumerate(strengths):
            assert strength > 0
            assert found.parts[place].values[row].any()


def test_the_strongest_filters_are_those_that_add_most() -> None:
    net, signals = cast(Lenet, network("lenet")), lenet_signals()
    found = relevance("lenet", [CONV1, CONV2], filters=2)
    sizes: list[dict[tuple[int, int], float]] = [{}, {}, {}]
    for effect, node in ((0.5, 0), (0.25, 3)):
        for parent in (0, 2):
            weight = net.conv2.weight[node : node + 1, parent : parent + 1].detach()
            response = functional.conv2d(signals[:, parent : parent + 1], weight)
            for row in range(3):
                sizes[row][parent, node] = effect * float(response[row].abs().mean())

    assert found.details is not None
    for row, words in enumerate(found.details):
        best = sorted(sizes[row], key=lambda pair: -sizes[row][pair])[:2]
        assert [(one["parent"], one["node"]) for one in words["filters"]] == best
        assert [one["layer"] for one in words["filters"]] == ["conv1", "conv1"]
        assert words["filters"][0]["strength"] == pytest.approx(sizes[row][best[0]])


def test_rows_have_the_graph_of_their_class_and_the_layer_of_that() -> None:
    graphs = [
        graph_of(0, [STEM, INSIDE, BLOCK1]),
        graph_of(1, [STEM, INSIDE, BLOCK1, layer_of("block2.conv1", [-0.1] * 6), BLOCK2]),
    ]
    together = relevance("residual", (), targets=[0, 1, 0], graphs=graphs, filters=1)
    alone = [relevance("residual", (), targets=[target] * 3, graphs=graphs, filters=1) for target in (0, 1)]

    for row, target in enumerate([0, 1, 0]):
        torch.testing.assert_close(together.maps[row], alone[target].maps[row])
        torch.testing.assert_close(together.parts[0].values[row], alone[target].parts[0].values[row])
        assert together.where(row) == alone[target].where(0)
        assert alone[target].layer == ("block1", "block2")[target]


def test_a_layer_may_be_named() -> None:
    layers = [STEM, INSIDE, BLOCK1, BLOCK2]
    assert relevance("residual", layers).layer == "block2"
    named = relevance("residual", layers, layer="block1")
    torch.testing.assert_close(named.maps, enlarged(residual_at_block1()))


@pytest.mark.parametrize(
    ("layers", "asked", "words"),
    [
        ([STEM, INSIDE, BLOCK1, BLOCK2], "block9", "at 'block9'; it can be at block1.conv1, block1, block2"),
        ([STEM, INSIDE, BLOCK1, layer_of("block2", [None] * 6)], "block2", "can be at block1.conv1, block1$"),
        ([STEM], None, "no layer of feature maps with necessary nodes"),
        ([layer_of("block1", [0.1] * 4), BLOCK2], None, "no layer of feature maps"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_can(
    layers: list[Layer], asked: str | None, words: str
) -> None:
    with pytest.raises(NotExplainable, match=words) as raised:
        relevance("residual", layers, layer=asked)
    assert [problem.field for problem in raised.value.problems] == ["layer"]


def test_a_layer_to_which_no_path_leads_from_a_parent_is_not_read() -> None:
    """Channel 1 of a depthwise convolution is made of channel 1 alone."""
    layers = [layer_of("expand", [-0.1] + [None] * 5), layer_of("depthwise", [None, -0.2] + [None] * 4)]
    with pytest.raises(NotExplainable, match="no layer of feature maps with necessary nodes and paths"):
        relevance("gated", layers)


def test_a_class_without_a_graph_is_named_with_those_that_have_one() -> None:
    graphs = [graph_of(1, [CONV1, CONV2], label="mass")]
    with pytest.raises(NotExplainable, match=r"class 2 has no causal graph.*: 1 \(mass\)") as raised:
        relevance("lenet", (), targets=[1, 2, 1], graphs=graphs)
    assert [problem.field for problem in raised.value.problems] == ["target"]


@pytest.mark.parametrize(
    ("metric", "low", "high"), [("parameter-randomisation", -1, 1), ("local-lipschitz", 0, 1e9)]
)
def test_metrics_have_maps_of_the_same_graph_for_other_images_and_weights(
    metric: str, low: float, high: float
) -> None:
    net = network("lenet").float()
    found = workers.measure(net, images().float(), 1, "causal", metric, graph=graph_of(1, [CONV1, CONV2]))
    assert found.values.isfinite().all()
    assert ((found.values >= low) & (found.values <= high)).all()


def test_other_networks_are_asked_for_their_answer_but_for_no_map() -> None:
    net, other = (network("lenet").float() for _ in range(2))
    nn.init.normal_(cast(Lenet, other).fc2.weight)
    found = workers.measure(
        net,
        images().float(),
        1,
        "causal",
        "model-consensus",
        others={"other": other},
        graph=graph_of(1, [CONV1, CONV2]),
    )
    assert found.details is not None
    assert "of the weights of another network" in str(found.details[0])

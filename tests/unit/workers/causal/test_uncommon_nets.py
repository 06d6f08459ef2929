"""Weights that are computed or used twice, values that are cast or laid over others, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from jobs.causal import CLASSES, Cut, LayerAnswer, LayerQuestion, MaskingQuestion
from jobs.errors import NotExplainable
from tests.unit.workers.causal.nets import images
from workers.causal.circumstances import Circumstances
from workers.causal.discovery import anatomy, examine_layer
from workers.causal.interventions import Interventions, Weakened
from workers.causal.masking import Masked, masked_predictions, weight_cuts

Forward = Callable[[Any, Tensor], Tensor]  # Any: a network with modules of its own


class Net(nn.Module):
    """A stem of four channels, a linear layer behind the mean over places, and what lies between."""

    def __init__(self, between: Forward, **modules: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.stem, self.fc = nn.Conv2d(2, 4, 3), nn.Linear(4, 3)
        for name, module in modules.items():
            self.add_module(name, module)
        self.between = between
        self.double().eval()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.between(self, self.stem(images).relu()).mean([2, 3]))
        return logits


def conv(inputs: int = 4, outputs: int = 4) -> nn.Conv2d:
    torch.manual_seed(7)
    return nn.Conv2d(inputs, outputs, 1)


def effects(net: nn.Module, layer: str, targets: Mapping[str, tuple[int, ...]]) -> LayerAnswer:
    question = LayerQuestion(target=1, layer=layer, targets=dict(targets))
    with torch.no_grad():
        return examine_layer(anatomy(net, images()), images(), question, Circumstances())


def without(net: nn.Module, layer: str, targets: dict[str, list[int]], nodes: list[int]) -> Tensor:
    """(k, 3, K): the logits without the paths of each of some nodes."""
    paths = Interventions(anatomy(net, images()), layer, targets)
    with torch.no_grad():
        return paths.answers(paths.meet(images()), Weakened(torch.tensor(nodes), torch.ones(3)))


def same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_a_weight_that_is_computed_acts_as_one_that_is_stored() -> None:
    net = Net(lambda own, stem: own.conv(stem).relu(), conv=weight_norm(conv()))
    computed = effects(net, "stem", {"conv": (1, 2)})
    subject, cut = anatomy(net, images()), Cut(layer="stem", nodes=(0,))
    with torch.no_grad():
        masked = Masked(subject, [cut]).logits(images())
    with pytest.raises(NotExplainable, match="computed"):
        weight_cuts(subject, [cut])
    parametrize.remove_parametrizations(net.get_submodule("conv"), "weight")
    stored = effects(net, "stem", {"conv": (1, 2)})
    for one, other in zip(computed.effects, stored.effects, strict=True):
        assert one.mean == pytest.approx(other.mean)
    with torch.no_grad():
        same(masked, Masked(anatomy(net, images()), [cut]).logits(images()))


def test_a_weight_that_is_used_twice_is_cut_in_one_use_alone() -> None:
    shared = nn.Conv2d(2, 2, 1).double()

    def forward(own: Any, stem: Tensor) -> Tensor:  # Any: as above
        return torch.cat([own.shared(own.shared(stem[:, :2]).relu()).relu(), stem[:, 2:]], dim=1)

    net = Net(forward, shared=shared).requires_grad_(False)
    subject = anatomy(net, images())
    first = next(name for name in subject.sizes if name.startswith("shared"))
    cut = Cut(layer=first, nodes=(0,))
    stem = net.stem(images()).relu()
    inner = shared(stem[:, :2]).relu()
    inner[:, 0] = 0
    expected = net.fc(torch.cat([shared(inner).relu(), stem[:, 2:]], dim=1).mean([2, 3]))
    same(Masked(subject, [cut]).logits(images()), expected)
    with pytest.raises(NotExplainable, match="used twice"):
        weight_cuts(subject, [cut])


class OnTheImage(nn.Module):
    """Uses one weight on the image and on what it made of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 2, 1), nn.Linear(2, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.conv(self.conv(images).relu()).mean([2, 3]))
        return logits


def test_a_weight_that_also_meets_the_image_cannot_be_told() -> None:
    subject = anatomy(OnTheImage().double().eval(), images())
    with pytest.raises(NotExplainable, match="used twice"):
        weight_cuts(subject, [Cut(layer=next(iter(subject.sizes)), nodes=(0,))])


@pytest.mark.parametrize(
    "between",
    [
        lambda own, stem: own.conv(stem.float().double()),
        lambda own, stem: own.conv(stem.type_as(own.conv.weight)),
        lambda own, stem: own.conv(
            stem.permute(0, 2, 3, 1).reshape(-1, 4).relu().reshape(-1, 6, 6, 4).permute(0, 3, 1, 2)
        ),
        lambda own, stem: own.conv(functional.avg_pool2d(stem.reshape(-1, 1, 6, 6), 1).reshape(-1, 4, 6, 6)),
    ],
)
def test_casts_and_images_taken_apart_leave_nodes_where_they_were(between: Forward) -> None:
    net, plain = Net(between, conv=conv()), Net(lambda own, stem: own.conv(stem), conv=conv())
    found = effects(net, "stem", {"conv": (0, 3)})
    expected = effects(plain, "stem", {"conv": (0, 3)})
    assert [one.mean for one in found.effects] == pytest.approx(
        [one.mean for one in expected.effects], rel=1e-5
    )


def test_whole_numbers_beside_a_value_belong_to_nobody() -> None:
    def forward(own: Any, stem: Tensor) -> Tensor:  # Any: as above
        across = torch.arange(6).view(1, 1, 1, 6).expand(stem.shape[0], -1, 6, -1)
        result: Tensor = own.conv(torch.cat([stem, across], dim=1))
        return result

    [paths] = anatomy(Net(forward, conv=conv(5)), images()).out_of("stem")
    assert paths.nodes.tolist() == [0, 1, 2, 3, -1]


def test_one_channel_over_many_is_taken_from_the_targets_alone() -> None:
    """A gate for each place, whose only node is a path to each channel of the product."""
    net = Net(lambda own, stem: stem * own.gate(stem).sigmoid(), gate=conv(4, 1))
    subject = anatomy(net, images())
    product = subject.out_of("gate")[0].child
    with torch.no_grad():
        stem = net.stem(images()).relu()
        gated = stem * net.get_submodule("gate")(stem).sigmoid()
        gated[:, [1, 3]] = 0
        expected = net.fc(gated.mean([2, 3]))
        same(without(net, "gate", {product: [1, 3]}, [0])[0], expected)
        edges = Interventions(subject, "gate", {product: [1, 3]})
        [(_, ends, means)] = edges.brought(edges.meet(images()), 0)
        gates = net.get_submodule("gate")(stem).sigmoid()
    assert ends.tolist() == [1, 3]
    assert means.tolist() == pytest.approx([float(gates.mean())] * 2)


def test_one_channel_that_is_added_to_many_is_a_layer_of_its_own() -> None:
    net = Net(lambda own, stem: (stem + own.conv(stem)).relu(), conv=conv(4, 1))
    subject = anatomy(net, images())
    assert subject.sizes == {"stem": 4, "conv": 1, "add": 4, CLASSES: 3}
    with torch.no_grad():
        stem = net.stem(images()).relu()
        added = stem + net.get_submodule("conv")(stem)
        added[:, 2] = stem[:, 2]
        same(without(net, "conv", {"add": [2]}, [0])[0], net.fc(added.relu().mean([2, 3])))


def test_a_layer_without_paths_to_the_targets_has_no_nodes() -> None:
    def forward(own: Any, stem: Tensor) -> Tensor:  # Any: as above
        joined = torch.cat([own.left(stem).relu(), own.right(stem).relu()], dim=1)
        result: Tensor = own.each(joined)
        return result

    each = nn.Conv2d(4, 4, 1, groups=4)
    net = Net(forward, left=conv(4, 2), right=conv(4, 2), each=each)
    asked: tuple[Mapping[str, tuple[int, ...]], ...] = ({"each": (2, 3)}, {})
    for targets in asked:
        answer = effects(net, "left", targets)
        assert answer.layer is not None
        assert (answer.effects, answer.layer.nodes, answer.layer.edges) == ((), (), ())


@pytest.mark.parametrize(
    ("between", "words"),
    [
        (lambda own, stem: own.conv(stem - stem.mean(0, keepdim=True)), r"mean .* keep images apart"),
        (
            lambda own, stem: functional.linear(
                stem.permute(2, 0, 3, 1), own.conv.weight[:, :, 0, 0]
            ).permute(1, 3, 0, 2),
            r"linear .* keep images apart",
        ),
    ],
)
def test_what_does_not_keep_images_apart_is_named(between: Forward, words: str) -> None:
    with pytest.raises(NotExplainable, match=words):
        anatomy(Net(between, conv=conv()), images())


def test_an_output_of_zero_has_no_relative_change() -> None:
    net = Net(lambda _, stem: stem)
    nn.init.zeros_(net.fc.weight[1])
    nn.init.zeros_(net.fc.bias)
    with pytest.raises(NotExplainable, match="class 1 has the output zero") as raised:
        effects(net, "stem", {CLASSES: (1,)})
    assert [problem.field for problem in raised.value.problems] == ["target"]


def test_numbers_that_are_not_finite_are_refused() -> None:
    net = Net(lambda _, stem: stem)
    with torch.no_grad():
        net.stem.weight[2, 0, 0, 0] = torch.nan
    with pytest.raises(NotExplainable, match="not finite"):
        effects(net, "stem", {CLASSES: (1,)})
    with pytest.raises(NotExplainable, match=r"mask 0.* not finite"), torch.no_grad():
        masked_predictions(anatomy(net, images()), images(), MaskingQuestion(masks=((),)), Circumstances())


def test_an_answer_that_is_not_finite_without_a_node_names_the_layer() -> None:
    """The logarithm of a sum of ones, of which one node is everything."""
    net = Net(lambda own, stem: own.conv(stem).log(), conv=conv())
    with torch.no_grad():
        for weights in (net.get_submodule("conv"), net.stem):
            for values in weights.parameters():
                values.zero_()
        net.get_parameter("stem.bias").fill_(1)
        nn.init.ones_(net.get_parameter("conv.weight")[:, :1])
    with pytest.raises(NotExplainable, match="'stem' an answer is not finite"):
        effects(net, "stem", {"conv": (1,)})

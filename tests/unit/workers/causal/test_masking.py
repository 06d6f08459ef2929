"""Blocked paths are zeros in the weights, which are told; shortcuts are blocked, too, if asked."""

from __future__ import annotations

import copy
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from jobs.causal import Cut, MaskingQuestion, Paths
from jobs.errors import NotExplainable
from jobs.repair import WeightCut
from tests.unit.workers.causal.nets import KINDS, Residual, images, network
from workers.causal.circumstances import Circumstances
from workers.causal.discovery import anatomy
from workers.causal.masking import Masked, masked_predictions, weight_cuts


def with_zeros(net: nn.Module, cuts: tuple[WeightCut, ...]) -> nn.Module:
    changed = copy.deepcopy(net)
    parameters = dict(changed.named_parameters())
    for cut in cuts:
        for row in cut.rows:
            for column in cut.columns:
                parameters[cut.weight].data[row, column] = 0
    return changed


@torch.no_grad()
def answers(net: nn.Module) -> Tensor:
    logits: Tensor = net(images())
    return logits


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_that_are_told_make_the_same_network(kind: str) -> None:
    net = network(kind)
    subject = anatomy(net, images())
    cuts = [Cut(layer=shape.name, nodes=(0, shape.nodes - 1)) for shape in subject.skeleton.layers[:-1]]
    told = weight_cuts(subject, cuts)
    assert len({cut.weight for cut in told}) >= len(cuts) - 1
    with torch.no_grad():
        found = Masked(subject, cuts, Paths.WEIGHTS).logits(images())
    assert found.flatten().tolist() == pytest.approx(answers(with_zeros(net, told)).flatten().tolist())
    assert not torch.allclose(found, answers(net))


def test_only_paths_to_the_targets_are_blocked() -> None:
    subject = anatomy(network("lenet"), images())
    [cut] = weight_cuts(subject, [Cut(layer="conv2", nodes=(1, 3), targets={"fc1": (0, 4)})])
    assert cut == WeightCut(weight="fc1.weight", rows=(0, 4), columns=(*range(9, 18), *range(27, 36)))


def test_a_weight_in_groups_is_told_group_by_group() -> None:
    subject = anatomy(network("gated"), images())
    [product] = [shape.name for shape in subject.skeleton.layers if shape.children == ("left", "right")]
    told = weight_cuts(subject, [Cut(layer=product, nodes=(0, 4), targets={"right": (0, 1, 2)})])
    assert told == (
        WeightCut(weight="right.weight", rows=(0, 1), columns=(0,)),
        WeightCut(weight="right.weight", rows=(2,), columns=(1,)),
    )


def test_shortcuts_are_blocked_where_all_paths_are() -> None:
    net = cast(Residual, network("residual"))
    subject, cuts = anatomy(net, images()), [Cut(layer="stem", nodes=(1, 2))]
    with torch.no_grad():
        stem = nn.functional.relu(net.stem(images()))
        stem[:, 1:3] = 0
        without = net.fc(net.block2(net.block1(stem)).mean([2, 3]))
        assert Masked(subject, cuts, Paths.ALL).logits(images()).flatten().tolist() == pytest.approx(
            without.flatten().tolist()
        )
        weights_alone = Masked(subject, cuts, Paths.WEIGHTS).logits(images())
    assert not torch.allclose(weights_alone, without)


def test_one_answer_for_each_set_of_cuts() -> None:
    net = network("lenet")
    subject, cut = anatomy(net, images(7)), Cut(layer="fc1", nodes=tuple(range(6)))
    question = MaskingQuestion(masks=((), (cut,)), paths=Paths.WEIGHTS)
    progress: list[float] = []
    with torch.no_grad():
        answer = masked_predictions(subject, images(7), question, Circumstances(3, progress.append))
        assert answer.predicted[0] == tuple(net(images(7)).argmax(dim=1).tolist())
    assert len(set(answer.predicted[1])) == 1  # the bias of the classes alone decides
    assert answer.weights == ((), weight_cuts(subject, [cut]))
    assert answer.forwards == 14
    assert progress == sorted(progress)
    assert len(progress) == 6


def test_who_is_late_answers_for_the_first_sets() -> None:
    subject = anatomy(network("lenet"), images())
    question = MaskingQuestion(masks=((), (), ()))
    with torch.no_grad():
        answer = masked_predictions(subject, images(), question, Circumstances(is_late=lambda: True))
    assert len(answer.predicted) == 1
    assert answer.weights == ()


class Tied(nn.Module):
    """Uses one weight twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.same, self.fc = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.same(self.same(self.stem(images)).relu()).relu().mean([2, 3]))
        return logits


def test_a_weight_that_is_used_twice_cannot_be_told() -> None:
    subject = anatomy(Tied().double().eval(), images())
    with pytest.raises(NotExplainable, match="used twice"):
        weight_cuts(subject, [Cut(layer="stem", nodes=(0,))])


@pytest.mark.parametrize("cut", [Cut(layer="fc9", nodes=(0,)), Cut(layer="fc1", nodes=(6,))])
def test_a_cut_that_does_not_fit_names_its_field(cut: Cut) -> None:
    with pytest.raises(NotExplainable, match=r"fc1 \(6\)") as raised:
        Masked(anatomy(network("lenet"), images()), [cut])
    assert [problem.field for problem in raised.value.problems] == ["masks"]

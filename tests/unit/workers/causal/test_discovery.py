"""Algorithm 1 on small networks: effects by their definition, targets from above, and work in pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import nn

from jobs.causal import CLASSES, Effect, Intervention, LayerQuestion, Role, Treatment
from jobs.errors import NotExplainable
from tests.unit.workers.causal.nets import Lenet, images, network
from workers.causal import discovery
from workers.causal.circumstances import Circumstances
from workers.causal.discovery import anatomy, discover, examine_layer
from workers.causal.interventions import Interventions, Met

EASY = Treatment(level=0.4)


def mlp(seed: int = 0) -> nn.Sequential:
    """Hidden units 40 and 30, small random weights; 11 and then 5 carry class 1, and 7 is against it."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(128, 40), nn.ReLU(), nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 3)
    ).double()
    for module in net:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.constant_(module.bias, 0.1)
    cast(nn.Linear, net[5]).weight.data[1, 5], cast(nn.Linear, net[5]).weight.data[1, 7] = 3.0, -1.0
    cast(nn.Linear, net[3]).weight.data[5, 11] = 3.0
    return net.eval()


@torch.no_grad()
def test_the_graph_of_a_planted_path() -> None:
    graph = discover(mlp(), images(20), 1, treatment=Treatment(level=0.001), label="one")
    upper, lower = graph.layer("3"), graph.layer("1")
    assert upper is not None
    assert lower is not None
    assert upper.necessary == (5,)
    assert [node.index for node in upper.having(Role.DISTRACTING)] == [7]
    assert lower.necessary == (11,)
    assert {(edge.node, edge.layer, edge.child) for edge in lower.edges} == {(11, "3", 5)}
    assert {(edge.node, edge.layer, edge.child) for edge in upper.edges} == {(5, CLASSES, 1), (7, CLASSES, 1)}
    assert graph.necessary == {"1": (11,), "3": (5,), CLASSES: (1,)}
    assert graph.forwards >= 2 * 20


@torch.no_grad()
def test_an_effect_is_the_mean_change_relative_to_the_mean_size_of_the_output() -> None:
    net = cast(Lenet, network("lenet"))
    question = LayerQuestion(target=2, layer="fc1", targets={CLASSES: (2,)})
    answer = examine_layer(anatomy(net, images(9)), images(9), question, Circumstances(chunk_rows=2))
    hidden: list[torch.Tensor] = []
    net.fc2.register_forward_pre_hook(lambda _, inputs: hidden.append(inputs[0]))
    outputs = net(images(9))[:, 2]
    changes = -hidden[0] * net.fc2.weight[2]
    relative = changes / outputs.abs().mean()
    assert [effect.mean for effect in answer.effects] == pytest.approx(relative.mean(dim=0).tolist())
    errors = relative.std(dim=0) / 3
    assert [effect.standard_error for effect in answer.effects] == pytest.approx(errors.tolist())


@torch.no_grad()
def test_attenuation_takes_one_factor_for_each_image_and_the_same_for_every_node() -> None:
    net = cast(Lenet, network("lenet"))
    treatment = Treatment(intervention=Intervention.ATTENUATE, highest=0.5, seed=4)
    question = LayerQuestion(target=2, layer="fc1", targets={CLASSES: (2,)}, treatment=treatment)
    subject = anatomy(net, images(9))
    answer = examine_layer(subject, images(9), question, Circumstances())
    factors = 0.5 * torch.rand(9, generator=torch.Generator().manual_seed(4)).double()
    hidden: list[torch.Tensor] = []
    net.fc2.register_forward_pre_hook(lambda _, inputs: hidden.append(inputs[0]))
    outputs = net(images(9))[:, 2]
    changes = -(1 - factors).unsqueeze(1) * hidden[0] * net.fc2.weight[2]
    expected = changes.mean(dim=0) / outputs.abs().mean()
    assert [effect.mean for effect in answer.effects] == pytest.approx(expected.tolist(), rel=1e-6)
    other = question.model_copy(update={"treatment": treatment.model_copy(update={"seed": 5})})
    assert examine_layer(subject, images(9), other, Circumstances()).effects != answer.effects


@torch.no_grad()
def test_work_in_pieces_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "TOGETHER", 7)
    monkeypatch.setitem(discovery.NUMBERS, "cpu", 100)
    subject = anatomy(mlp(), images(5))
    question = LayerQuestion(target=1, layer="1", targets={"3": (5, 6)}, treatment=EASY)
    progress: list[float] = []
    at_once = examine_layer(subject, images(5), question, Circumstances(2, progress.append))
    assert progress == sorted(progress)
    late, rounds = Circumstances(is_late=lambda: True), 0
    answer = examine_layer(subject, images(5), question, late)
    while answer.layer is None:
        rounds += 1
        assert len(answer.effects) == 7 * rounds
        answer = examine_layer(
            subject, images(5), question.model_copy(update={"known": answer.effects}), late
        )
    assert rounds == 5
    assert at_once.layer is not None
    assert [node.index for node in answer.layer.nodes] == [node.index for node in at_once.layer.nodes]
    assert [node.effect for node in answer.layer.nodes] == pytest.approx(
        [node.effect for node in at_once.layer.nodes], rel=1e-9, abs=1e-15
    )
    edges = {(one.node, one.layer, one.child): one.response for one in answer.layer.edges}
    assert edges == pytest.approx(
        {(one.node, one.layer, one.child): one.response for one in at_once.layer.edges}
    )


def counted(
    meet: Callable[[Interventions, torch.Tensor], Met], sizes: list[int]
) -> Callable[[Interventions, torch.Tensor], Met]:
    """The same, which also writes down how many images it takes."""

    def counting(paths: Interventions, some: torch.Tensor) -> Met:
        sizes.append(len(some))
        return meet(paths, some)

    return counting


@torch.no_grad()
def test_half_the_chunk_takes_half_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images go through more at a time, but in proportion: what does not fit is tried with less."""
    monkeypatch.setitem(discovery.NUMBERS, "cpu", 90)
    subject, most = anatomy(mlp(), images(60)), []
    for chunk_rows in (8, 4, 2, 1):
        sizes: list[int] = []
        with monkeypatch.context() as patch:
            patch.setattr(Interventions, "meet", counted(Interventions.meet, sizes))
            question = LayerQuestion(target=1, layer="1", targets={"3": (5,)})
            examine_layer(subject, images(60), question, Circumstances(chunk_rows))
        most.append(max(sizes))
    assert most == [24, 12, 6, 3]  # 90 // 30 times as many


@torch.no_grad()
def test_a_layer_of_which_nothing_stands_out_hides_what_lies_below() -> None:
    net = mlp()
    cast(nn.Linear, net[5]).weight.data[1] = 0
    graph = discover(net, images(4), 1)
    assert [layer.name for layer in graph.layers] == ["3"]
    assert graph.layers[0].necessary == ()
    assert graph.layers[0].edges == ()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"target": 3}, "target"),
        ({"layer": "9"}, "layer"),
        ({"targets": {"3": (30,)}}, "targets"),
        ({"targets": {"7": (0,)}}, "targets"),
    ],
)
def test_a_question_that_does_not_fit_names_its_field(changed: dict[str, object], field: str) -> None:
    question = LayerQuestion(target=1, layer="1", targets={"3": (5,)}).model_copy(update=changed)
    with pytest.raises(NotExplainable) as raised:
        examine_layer(anatomy(mlp(), images()), images(), question, Circumstances())
    assert [problem.field for problem in raised.value.problems] == [field]


def test_more_known_effects_than_nodes_are_refused() -> None:
    known = (Effect(mean=0, standard_error=0),) * 41
    question = LayerQuestion(target=1, layer="1", targets={"3": (5,)}, known=known)
    with pytest.raises(NotExplainable, match="41 effects"):
        examine_layer(anatomy(mlp(), images()), images(), question, Circumstances())

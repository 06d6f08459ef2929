"""Twins: what they share with their network, that they compute as if they were whole, and that they go."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.networks import (
    SUBJECTS,
    Linear,
    Pooled,
    ReusedInPlace,
    Subject,
    seeded,
    squeezenet,
    vgg,
)
from workers import explain
from workers.graph import graph_of, tracing, walk
from workers.models.architectures import build
from workers.models.torchvision_compat import torchvision
from workers.probe.twins import storeys_of, twin_of

SMALL = (
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "mnasnet0_5",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "shufflenet_v2_x0_5",
    "swin_v2_t",
)
LARGE = ("alexnet", "inception_v3", "maxvit_t", "mobilenet_v2", "resnext50_32x4d", "vgg11_bn", "vit_b_16")
every = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)


def all_of(network: nn.Module, like: Tensor) -> list[str]:
    return [path for storey in storeys_of(network, like) for path in storey.modules]


def whole(network: nn.Module, twin: nn.Module) -> nn.Module:
    """A deep copy of the network with the weights of its twin."""
    copy = deepcopy(network)
    copy.load_state_dict(twin.state_dict())
    return copy


@every
def test_a_twin_shares_every_tensor_but_those_of_the_redrawn_layers(subject: Subject) -> None:
    network = subject.network()
    last = storeys_of(network, subject.images())[-1]
    twin = twin_of(network, last.modules)
    old, new = dict(network.named_parameters()), dict(twin.named_parameters())
    own = {name for name in old if name.rpartition(".")[0] in last.modules}
    assert old.keys() == new.keys()
    assert {name for name in old if new[name] is not old[name]} == own != set()
    assert not any(new[name].data_ptr() == old[name].data_ptr() for name in own)
    fresh = {id(one) for path in last.modules for one in twin.get_submodule(path).buffers(recurse=False)}
    for one, other in zip(network.buffers(), twin.buffers(), strict=True):
        assert one is other or id(other) in fresh


@every
def test_a_twin_answers_as_a_whole_network_with_its_weights(subject: Subject) -> None:
    network, images = subject.network(), subject.images()
    before = deepcopy(network.state_dict())
    state = torch.get_rng_state()
    twin = twin_of(network, all_of(network, images))
    with torch.no_grad():
        found = twin(images)
        torch.testing.assert_close(found, whole(network, twin)(images), rtol=0, atol=0)
        assert not torch.allclose(found, network(images))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())
    unlike = [name for name, one in network.named_parameters() if one.std(correction=0) > 0]
    redrawn = dict(twin.named_parameters())
    assert not any(torch.equal(redrawn[name], network.get_parameter(name)) for name in unlike)


@pytest.mark.parametrize("name", SMALL)
def test_twins_of_torchvision_classifiers_answer_with_their_own_weights(name: str) -> None:
    given = {"init_weights": False} if name == "googlenet" else {}
    network = build(f"torchvision:{name}", {"num_classes": 7, **given})
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    twin = twin_of(network, all_of(network, images))
    torch.testing.assert_close(twin(images), whole(network, twin)(images), rtol=0, atol=0)
    assert not torch.equal(twin(images), network(images))


@pytest.mark.parametrize("name", LARGE)
def test_large_classifiers_hold_no_modules_where_a_twin_would_not_look(name: str) -> None:
    given = {"init_weights": False} if name == "inception_v3" else {}
    with torch.device("meta"):
        network = torchvision.models.get_model(name, weights=None, **given)
    for module in network.modules():
        attributes = {key: one for key, one in vars(module).items() if key not in ("_modules", "_parameters")}
        held = [one for value in attributes.values() for one in _inside(value)]
        assert not any(isinstance(one, nn.Module | nn.Parameter) for one in held)


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple | set) else [value, getattr(value, "__self__", None)]


IMAGES = torch.rand(2, 3, 37, 29, generator=torch.Generator().manual_seed(3))


def exported(network: nn.Module) -> nn.Module:
    return torch.export.export(network, (IMAGES,), strict=False).module()


@pytest.mark.parametrize("make", [torch.fx.symbolic_trace, exported])
def test_twins_of_graph_modules_run_the_same_code_on_their_own_weights(
    make: Callable[[nn.Module], nn.Module],
) -> None:
    network = make(seeded(vgg))
    twin = twin_of(network, all_of(network, IMAGES))
    copy = seeded(vgg)
    copy.load_state_dict(twin.state_dict())
    torch.testing.assert_close(twin(IMAGES), copy(IMAGES))
    assert not torch.allclose(twin(IMAGES), network(IMAGES))


def test_weights_have_the_moments_of_the_old_ones_and_follow_from_name_and_word() -> None:
    network = seeded(lambda: Linear(3, 40, 40))
    with torch.no_grad():
        network.get_parameter("head.weight").add_(0.5)
    old = network.get_parameter("head.weight").detach()
    twins = [twin_of(network, ["head"], word) for word in ("", "", "other")]
    weights = [twin.get_parameter("head.weight").detach() for twin in twins]
    assert torch.equal(weights[0], weights[1])
    for new in weights:
        assert float(new.mean()) == pytest.approx(float(old.mean()), abs=1e-3)
        assert float(new.std()) == pytest.approx(float(old.std()), rel=0.02)
    for one, other in ((weights[0], weights[2]), (weights[0], old)):
        assert abs(float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])) < 0.02


def test_a_redrawn_batch_norm_has_seen_nothing() -> None:
    subject = SUBJECTS["concatenating"]
    network = subject.network()
    twin = twin_of(network, ["norms.1"])
    norm = twin.get_submodule("norms.1")
    assert torch.equal(norm.get_buffer("running_mean"), torch.zeros(10))
    assert torch.equal(norm.get_buffer("running_var"), torch.ones(10))
    assert not torch.equal(network.get_buffer("norms.1.running_var"), torch.ones(10))
    assert twin.get_buffer("norms.0.running_var") is network.get_buffer("norms.0.running_var")


class Crossed(nn.Module):
    """Declared from the output to the input; one module under two names, and two with tied weights."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)
        self.norm = nn.BatchNorm2d(6)
        self.twice = nn.Conv2d(6, 6, 3, padding=1)
        self.tied = nn.Conv2d(6, 6, 3, padding=1)
        self.tied.weight = self.twice.weight
        self.stem = nn.Conv2d(1, 6, 3, padding=1)
        self.again = self.twice
        self.scale = nn.Parameter(torch.ones(1, 6, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        features = self.twice(self.stem(images) * self.scale).relu()
        features = self.norm(self.tied(self.again(features)).relu())
        return torch.as_tensor(self.head(features.mean((2, 3))))


def test_storeys_stand_in_the_order_of_running_and_vectors_go_with_the_layer_before() -> None:
    storeys = storeys_of(seeded(Crossed), torch.rand(1, 1, 8, 8))
    assert [(one.path, one.modules[1:]) for one in storeys] == [
        ("", ()),
        ("stem", ()),
        ("twice", ()),
        ("tied", ("norm",)),
        ("head", ()),
    ]


def test_vectors_before_the_first_layer_go_with_it() -> None:
    network = nn.Sequential(
        nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()
    assert [one.modules for one in storeys_of(network, torch.rand(1, 1, 8, 8))] == [("1", "0")]
    only = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten()).eval()
    assert [one.modules for one in storeys_of(only, torch.rand(1, 1, 8, 8))] == [("0",)]
    assert storeys_of(nn.Flatten(), torch.rand(1, 1, 8, 8)) == ()


def test_what_is_shared_or_tied_is_so_in_the_twin() -> None:
    network = seeded(Crossed)
    twin = twin_of(network, ["tied"])
    assert twin.get_submodule("again") is twin.get_submodule("twice")
    assert twin.get_parameter("tied.weight") is twin.get_parameter("twice.weight")
    assert twin.get_parameter("tied.weight") is not network.get_parameter("tied.weight")
    assert twin.get_parameter("twice.bias") is network.get_parameter("twice.bias")


def test_hooks_stay_with_the_network() -> None:
    network, seen = seeded(Pooled), []
    for module in network.modules():
        module.register_forward_hook(lambda *_: seen.append(1))
        module.register_forward_pre_hook(lambda *_: seen.append(1))
        module.register_full_backward_hook(lambda *_: seen.append(1))
    twin = twin_of(network, ["head"])
    twin(torch.rand(1, 3, 8, 8)).sum().backward()
    assert seen == []
    twin.get_submodule("head").register_forward_hook(lambda *_: seen.append(2))
    network(torch.rand(1, 3, 8, 8))
    assert seen
    assert 2 not in seen


@pytest.mark.parametrize("merged", [True, False])
@every
def test_a_twin_is_walked_on_the_calls_of_its_network(
    subject: Subject, merged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, images = subject.network().double(), subject.images().double()
    own = graph_of(network, images, merged=merged)
    monkeypatch.setattr(tracing, "export", None)  # nothing is traced again
    twin = twin_of(network, all_of(network, images))
    graph = graph_of(twin, images, merged=merged)
    with torch.no_grad():
        torch.testing.assert_close(walk(graph, images)[graph.answer], twin(images))
        torch.testing.assert_close(walk(own, images)[own.answer], network(images))


def test_a_twin_that_is_gone_leaves_nothing_behind() -> None:
    network, images = squeezenet(), torch.rand(1, 3, 40, 40)
    twin = twin_of(network, all_of(network, images))
    graph_of(twin, images)
    gc.collect()  # what other tests have left
    gone = weakref.ref(twin.get_parameter("features.0.weight")), weakref.ref(twin)
    known = len(tracing._kept), len(tracing._built_as)
    del twin
    gc.collect()
    assert [one() for one in gone] == [None, None]
    assert (len(tracing._kept), len(tracing._built_as)) == (known[0] - 1, known[1] - 1)


def test_another_thread_explains_the_network_while_twins_are_made_and_run() -> None:
    network, images = seeded(vgg), IMAGES
    expected = explain(network, images, 1, "grad-cam")

    def others() -> list[Tensor]:
        return [explain(network, images, 1, "grad-cam") for _ in range(15)]

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(others)
        while not found.done():
            twin_of(network, all_of(network, images))(images)
        for maps in found.result():
            torch.testing.assert_close(maps, expected)


def test_what_does_not_compute_with_its_weights_alone_has_no_twin() -> None:
    network = seeded(ReusedInPlace)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted: nn.Module = torch.jit.trace(  # type: ignore[no-untyped-call]
            network, torch.rand(1, 1, 8, 8)
        )
    with pytest.raises(NotExplainable, match="cannot be replaced"):
        twin_of(scripted, ["stem"])
    network.forward = lambda images: images
    with pytest.raises(NotExplainable, match="ReusedInPlace"):
        twin_of(network, ["stem"])

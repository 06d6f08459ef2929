"""Networks are traced once for a kind of image, are not touched by it, and are refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from threading import Lock
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.graph.nets import answers, pictures, pooled, written
from tests.unit.workers.networks import SUBJECTS, Pooled, seeded
from workers.graph import graph_of, walk


def _asks_the_values(net: Any, images: Tensor) -> Tensor:  # Any: see `written`
    return pooled(net, images if images.sum() > 0 else -images)


def _reads_a_number(net: Any, images: Tensor) -> Tensor:  # Any: see `written`
    return pooled(net, images * (1 if images.mean().item() > 0 else 2))


def _leaves_torch(net: Any, images: Tensor) -> Tensor:  # Any: see `written`
    return pooled(net, torch.from_numpy(images.detach().numpy()))


UNTRACEABLE = {"values": _asks_the_values, "a number": _reads_a_number, "numpy": _leaves_torch}


@pytest.mark.parametrize("forward", UNTRACEABLE.values(), ids=UNTRACEABLE.keys())
def test_what_cannot_be_traced_is_refused_and_not_touched(forward: Callable[[Any, Tensor], Tensor]) -> None:
    network = written(forward).requires_grad_(True)
    before = _traces(network)

    with pytest.raises(NotExplainable, match="cannot be traced"):
        graph_of(network, pictures())

    assert _traces(network) == before


def test_what_cannot_be_copied_is_refused() -> None:
    network = written(pooled)
    network.register_forward_hook(lambda *_: None)
    network.lock = Lock()  # type: ignore[assignment]  # no module, and that is the point

    with pytest.raises(NotExplainable, match="cannot be traced"):
        graph_of(network, pictures())


def test_several_answers_are_refused() -> None:
    network = written(lambda net, images: (pooled(net, images), images))  # type: ignore[arg-type, return-value]

    with pytest.raises(NotExplainable, match="it returns 2 tensors"):
        graph_of(network, pictures())


@pytest.mark.parametrize("name", ["resnet18", "reused-in-place", "vision-transformer"])
def test_tracing_and_walking_touch_nothing(name: str) -> None:
    network, images = SUBJECTS[name].network(), SUBJECTS[name].images()
    before, noise = _traces(network), torch.get_rng_state()

    answers(graph_of(network, images, merged=True), images)

    assert _traces(network) == before
    assert torch.equal(torch.get_rng_state(), noise)


def test_a_network_is_traced_once_until_a_weight_changes() -> None:
    network = seeded(Pooled)
    first, merged = graph_of(network, pictures()), graph_of(network, pictures(), merged=True)
    assert graph_of(network, pictures(5)) is first
    assert graph_of(network, pictures(5), merged=True) is merged
    assert graph_of(network, pictures(5, side=10)) is not first

    with torch.no_grad():
        network.get_parameter("head.weight").mul_(2)

    assert graph_of(network, pictures()) is not first
    torch.testing.assert_close(
        answers(graph_of(network, pictures()), pictures()), network(pictures()).detach()
    )


def test_a_replaced_module_is_seen() -> None:
    network = written(lambda net, images: pooled(net, net.bend(images)), bend=nn.ReLU())
    graph_of(network, pictures())

    network.add_module("bend", nn.GELU())

    assert torch.equal(answers(graph_of(network, pictures()), pictures()), network(pictures()).detach())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_walked_in_the_dtype_of_the_images(dtype: torch.dtype) -> None:
    network = seeded(Pooled).to(dtype)

    found = answers(graph_of(network, pictures()), pictures())

    assert found.dtype == torch.float32
    assert torch.equal(found, deepcopy(network).float()(pictures()).detach())
    assert next(network.parameters()).dtype == dtype


def test_weights_made_in_inference_mode_can_be_recorded() -> None:
    with torch.inference_mode():
        network = seeded(Pooled).to(torch.float64).to(torch.float32)
        expected = network(pictures()).clone()
    graph = graph_of(network, pictures())
    images = pictures().requires_grad_()

    logits = walk(graph, images)[graph.answer]
    (gradient,) = torch.autograd.grad(logits.sum(), images)

    assert torch.equal(logits.detach(), expected)
    assert gradient.count_nonzero()


def test_two_threads_trace_and_walk_as_one_after_the_other() -> None:
    subjects = [SUBJECTS["reused-in-place"], SUBJECTS["vgg"]] * 2
    networks = [subject.network() for subject in subjects]

    def answer(place: int) -> Tensor:
        images = subjects[place].images()
        return answers(graph_of(networks[place], images), images)

    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(answer, range(4)))

    for place, found in enumerate(together):
        torch.testing.assert_close(found, networks[place](subjects[place].images()).detach())


def _traces(network: nn.Module) -> Any:  # Any: whatever could be left behind
    return [
        (module.training, len(module._forward_hooks), len(module._forward_pre_hooks), sorted(vars(module)))
        for module in network.modules()
    ], [(one.requires_grad, one.grad is None, one._version, one.data_ptr()) for one in network.parameters()]

"""What holds for every method in the list, on networks that trip explanations."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import workers
from tests.unit.workers.networks import SUBJECTS, Subject
from workers.methods import METHODS, index_by_name
from workers.probe import Interrupted, Probe
from workers.probe.passes import Pass
from workers.tasks import recording_for

# Parameters that make a method cheap here; the others run with their defaults.
CHEAP: Mapping[str, Mapping[str, Any]] = {  # Any: parameters of methods
    "occlusion": {"window": 16},
    "score-cam": {"channels": 6},
}
TARGETS = [7, 0, 3]

every_method = pytest.mark.parametrize("method", METHODS)
every_subject = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS.keys())


class Armed(nn.Module):
    """Breaks the forward when it is told to."""

    armed = False

    def forward(self, logits: Tensor) -> Tensor:
        if self.armed:
            raise RuntimeError("broken on purpose")
        return logits


@every_method
@every_subject
def test_maps_are_finite_float32_of_the_size_of_the_input(method: str, subject: Subject) -> None:
    maps = explain(subject.network(), subject.images(), TARGETS, method)

    assert maps.shape == (3, *subject.shape[1:])
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()
    assert not maps.requires_grad


@every_method
@every_subject
def test_a_batch_equals_its_rows_in_any_order(method: str, subject: Subject) -> None:
    network, images = subject.network(), subject.images()
    together = explain(network, images, TARGETS, method)
    backwards = explain(network, images.flip(0), TARGETS[::-1], method).flip(0)
    alone = torch.cat([explain(network, images[[row]], [TARGETS[row]], method) for row in range(len(images))])

    assert_equal_maps(together, alone)
    assert_equal_maps(together, backwards)


@every_method
@every_subject
def test_nothing_of_the_network_is_touched(method: str, subject: Subject) -> None:
    network = subject.network()
    before, noise = traces(network), torch.get_rng_state()

    explain(network, subject.images(), TARGETS, method)

    assert_same_traces(traces(network), before)
    assert torch.equal(torch.get_rng_state(), noise)
    assert torch.is_grad_enabled()


@every_method
@pytest.mark.parametrize("broken_from", ["first", "after the trial of the layers"])
def test_nothing_of_the_network_is_touched_by_a_failure(method: str, broken_from: str) -> None:
    subject = SUBJECTS["vgg"]
    armed = Armed()
    network = nn.Sequential(subject.network(), armed).eval()
    if broken_from != "first":
        explain(network, subject.images(), TARGETS, method)
    armed.armed = True
    before = traces(network)

    with pytest.raises(RuntimeError, match="on purpose"):
        explain(network, subject.images(), TARGETS, method)

    assert_same_traces(traces(network), before)
    assert torch.is_grad_enabled()


@every_method
def test_an_interruption_passes_through_and_leaves_nothing(method: str) -> None:
    subject = SUBJECTS["vgg"]
    network, images = subject.network(), subject.images()
    before = traces(network)

    def interrupt(_: float) -> None:
        raise Interrupted

    chosen = METHODS[method]
    shared = Pass(network, images, recording_for(chosen, chosen.params(), Pass(network, images)))
    probe = Probe(shared, range(3), TARGETS, checkpoint=interrupt)
    with pytest.raises(Interrupted):
        chosen.explain(probe, chosen.params())

    assert_same_traces(traces(network), before)


@every_method
def test_the_same_seed_gives_the_same_map(method: str) -> None:
    subject = SUBJECTS["reused-in-place"]
    first, second = (
        workers.explain(subject.network(), subject.images(), TARGETS, method, seed=11, **cheap(method))
        for _ in range(2)
    )

    assert torch.equal(first, second)


@every_method
@every_subject
def test_frozen_parameters_change_nothing(method: str, subject: Subject) -> None:
    free = explain(subject.network(), subject.images(), TARGETS, method)
    frozen = explain(subject.network().requires_grad_(False), subject.images(), TARGETS, method)

    assert_equal_maps(free, frozen)


@every_method
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
def test_the_callers_gradient_mode_changes_nothing(
    method: str, mode: type[torch.no_grad | torch.inference_mode]
) -> None:
    subject = SUBJECTS["resnet18"]
    network, images = subject.network(), subject.images(1)
    expected = explain(network, images, [3], method)
    with mode():
        maps = explain(network, images.clone(), [3], method)

    assert_equal_maps(maps, expected)


@every_method
def test_half_precision_networks_give_float32_maps(method: str) -> None:
    subject = SUBJECTS["vgg"]
    expected = explain(subject.network(), subject.images(), TARGETS, method)
    maps = explain(subject.network().bfloat16(), subject.images(), TARGETS, method)

    assert maps.dtype == torch.float32
    likeness = torch.cosine_similarity(maps.flatten(1), expected.flatten(1))
    assert (likeness > 0.9).all() or method == "saliency"  # a maximum over channels may jump


@every_method
def test_two_threads_on_one_network_agree_with_one_after_the_other(method: str) -> None:
    subject = SUBJECTS["resnet18"]
    network = subject.network()
    tasks = [(subject.images(4)[[row]], [row]) for row in range(4)]
    serial = [explain(network, images, targets, method) for images, targets in tasks]

    with ThreadPoolExecutor(2) as threads:
        parallel = list(threads.map(lambda task: explain(network, task[0], task[1], method), tasks))

    for alone, beside in zip(serial, parallel, strict=True):
        assert_equal_maps(beside, alone)
    assert_same_traces(traces(network), traces(subject.network()))


@every_method
def test_a_method_with_its_defaults_keeps_evidence_against_only_if_its_card_says_so(method: str) -> None:
    maps = [explain(s.network(), s.images(), TARGETS, method) for s in SUBJECTS.values()]

    assert METHODS[method].signed or all((one >= 0).all() for one in maps)


def test_two_methods_of_one_name_are_an_error() -> None:
    method = next(iter(METHODS.values()))
    with pytest.raises(ValueError, match=method.name):
        index_by_name([method, method])


def cheap(method: str) -> Mapping[str, Any]:  # Any: parameters of methods
    return CHEAP.get(method, {})


def explain(network: nn.Module, images: Tensor, targets: list[int], method: str) -> Tensor:
    return workers.explain(network, images, targets, method, **cheap(method))


def assert_equal_maps(found: Tensor, expected: Tensor) -> None:
    """To 1e-5 of the largest value of each map."""
    scale = expected.abs().amax((1, 2), keepdim=True).clamp_min(1e-12)
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=1e-5)


def traces(network: nn.Module) -> dict[str, Any]:  # Any: whatever could be left behind
    return {
        "modes": [module.training for module in network.modules()],
        "hooks": [
            len(hooks)
            for module in network.modules()
            for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        ],
        "attributes": [sorted(vars(module)) for module in network.modules()],
        "requires_grad": [parameter.requires_grad for parameter in network.parameters()],
        "grad": [parameter.grad is None for parameter in network.parameters()],
        "versions": [parameter._version for parameter in network.parameters()],
        "values": {name: value.clone() for name, value in network.state_dict().items()},
    }


def assert_same_traces(found: dict[str, Any], expected: dict[str, Any]) -> None:  # Any: see above
    values, expected_values = found.pop("values"), expected.pop("values")
    assert found == expected
    assert all(torch.equal(values[name], expected_values[name]) for name in expected_values)

"""What holds for every method in the list, on networks that trip explanations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import workers
from jobs.catalogue import Need
from jobs.errors import NotExplainable
from tests.unit.workers.graphs import graphs_of
from tests.unit.workers.methods.likeness import assert_alike, assert_equal_maps
from tests.unit.workers.networks import SUBJECTS
from workers.methods import METHODS
from workers.probe import Circumstances, Interrupted, Probe
from workers.probe.passes import Pass
from workers.tasks import recording_for

pytestmark = [pytest.mark.no_cover, pytest.mark.usefixtures("chunks_of_one_size")]  # counting: a third more
# Parameters that make a method cheap here; the others run with their defaults.
CHEAP: Mapping[str, Mapping[str, Any]] = {  # Any: parameters of methods
    "anchors": {"segments": 6, "max_samples": 128, "beam": 1},
    "causal": {"filters": 2},
    "contextual-decomposition": {"window": 16},
    "cem": {"steps": 8, "rounds": 3},
    "counterfactual": {"steps": 8, "rounds": 3},
    "counterfactual-region": {"swaps": 4, "pairs": 256},
    "deep-shap": {"samples": 2},
    "blur-ig": {"nodes": 4, "max_nodes": 8},
    "gradient-shap": {"samples": 6},
    "guided-ig": {"steps": 8},
    "hsic": {"cells": 3, "samples": 48},
    "extremal-perturbation": {"areas": [0.1, 0.3], "cells": 6, "steps": 5},
    "integrated-gradients": {"nodes": 8, "max_nodes": 16},
    "meaningful-perturbation": {"cells": 6, "steps": 5},
    "kernel-shap": {"segments": 12, "max_samples": 96},
    "lime": {"segments": 12, "max_samples": 96},
    "occlusion": {"window": 16},
    "prediction-difference": {"source": "image", "window": 8, "stride": 8, "margin": 1, "samples": 2},
    "rise": {"max_samples": 96},
    "score-cam": {"channels": 6},
    "shapley-sampling": {"segments": 12, "max_samples": 96},
    "smoothgrad": {"samples": 6},
    "sobol": {"cells": 3, "max_samples": 66},
    "streak": {"segments": 8, "chosen": 3},
    "xrai": {"nodes": 8, "max_nodes": 16},
}
WITHOUT_ATTENTION = frozenset(SUBJECTS) - {"vision-transformer"}  # or with attention in windows
# Networks that a method refuses with a reason; if it no longer does, its line must go.
REFUSED: Mapping[str, frozenset[str]] = {
    "attention-rollout": WITHOUT_ATTENTION,
    "causal": frozenset({"vision-transformer", "swin"}),
    "cam": frozenset({"vgg", "vision-transformer", "reused-in-place", "concatenating"}),
    "contextual-decomposition": frozenset({"vision-transformer", "swin"}),
    "contrastive-excitation-backprop": frozenset({"vision-transformer"}),
    "deconvnet": frozenset({"vision-transformer", "swin"}),
    "deep-taylor": frozenset({"vision-transformer", "swin"}),
    "excitation-backprop": frozenset({"vision-transformer"}),
    "fullgrad": frozenset({"vision-transformer", "swin"}),
    "guided-backprop": frozenset({"vision-transformer", "swin"}),
    "guided-grad-cam": frozenset({"vision-transformer", "swin"}),
    "transformer-lrp": WITHOUT_ATTENTION,
    "transformer-relevance": WITHOUT_ATTENTION,
}
# Cosine with the float32 map that a half-precision network must reach, where 0.98 is too much to ask.
LIKENESS: Mapping[str, float] = {
    "cem": 0.9,  # rounding switches units on or off on its way
    "counterfactual": 0.9,
    "guided-ig": 0.9,  # rounding changes the order of the pixels on its way
    "xrai": 0.5,  # rounding changes regions, and in noise nearly all of them
}
# To what share of its largest value a map is the same in other company, where 1e-5 is finer than scores are.
FINENESS: Mapping[str, float] = {
    "deeplift": 5e-5,  # quotients of small differences: on some processors a batch rounds them otherwise
    "prediction-difference": 1e-4,  # noise here becomes other noise, which says little
}
TARGETS = [7, 0, 3]
OF_THE_PREDICTED = frozenset({"cem", "counterfactual-region"})  # they find nothing for most other classes

every_method = pytest.mark.parametrize("method", METHODS)
every_pair = pytest.mark.parametrize(
    ("method", "subject"),
    [
        (method, subject)
        for method in METHODS
        for subject in SUBJECTS
        if subject not in REFUSED.get(method, ())
    ],
)
refused_pairs = pytest.mark.parametrize(
    ("method", "subject"),
    [(method, subject) for method in METHODS for subject in sorted(REFUSED.get(method, ()))],
)


class Armed(nn.Module):
    """Breaks the forward when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = False

    def forward(self, logits: Tensor) -> Tensor:
        if self.armed:
            raise RuntimeError("broken on purpose")
        return logits


@dataclass(frozen=True)
class Run:
    """Maps of three images with three targets, and what could be seen of the network before and after."""

    maps: Tensor
    before: Mapping[str, Any]  # Any: whatever could be left behind
    after: Mapping[str, Any]


@every_pair
def test_maps_are_finite_float32_of_the_size_of_the_input(method: str, subject: str) -> None:
    maps = run(method, subject).maps

    assert maps.shape == (3, *SUBJECTS[subject].shape[1:])
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()
    assert not maps.requires_grad


@every_pair
def test_nothing_of_the_network_is_touched(method: str, subject: str) -> None:
    assert run(method, subject).after == run(method, subject).before
    assert torch.is_grad_enabled()


@every_pair
def test_with_defaults_evidence_against_is_kept_only_if_the_card_says_so(method: str, subject: str) -> None:
    assert METHODS[method].signed or (run(method, subject).maps >= 0).all()


@every_pair
def test_a_batch_equals_its_rows(method: str, subject: str) -> None:
    images = SUBJECTS[subject].images()
    alone = [explain(network_of(subject), images[[row]], [TARGETS[row]], method) for row in range(3)]

    assert_equal_maps(torch.cat(alone), run(method, subject).maps, tolerance=FINENESS.get(method, 1e-5))


@every_method
def test_the_order_of_a_batch_changes_nothing(method: str) -> None:
    subject = fitting(method, "vgg")
    images = SUBJECTS[subject].images()
    backwards = explain(network_of(subject), images.flip(0), TARGETS[::-1], method)

    assert_equal_maps(backwards.flip(0), run(method, subject).maps, tolerance=FINENESS.get(method, 1e-5))


@every_pair
def test_frozen_parameters_change_nothing(method: str, subject: str) -> None:
    with frozen(network_of(subject)) as network:
        maps = explain(network, SUBJECTS[subject].images(), TARGETS, method)

    assert_equal_maps(maps, run(method, subject).maps)


@refused_pairs
def test_what_a_method_cannot_explain_it_refuses_with_a_reason(method: str, subject: str) -> None:
    network = network_of(subject)
    before = traces(network)

    with pytest.raises(NotExplainable, match=r"\w+ \w+"):
        explain(network, SUBJECTS[subject].images(), TARGETS, method)

    assert traces(network) == before


@every_method
@pytest.mark.parametrize("broken_from", ["the first forward", "the forward after the trial"])
def test_nothing_of_the_network_is_touched_by_a_failure(method: str, broken_from: str) -> None:
    subject = fitting(method, "vgg")
    network = armed_network(subject) if broken_from == "the first forward" else tried_network(method, subject)
    before = traces(network)

    with arm(network), pytest.raises(RuntimeError, match="on purpose"):
        explain(network, SUBJECTS[subject].images(), TARGETS, method)

    assert traces(network) == before
    assert torch.is_grad_enabled()


@every_method
def test_an_interruption_passes_through_and_leaves_nothing(method: str) -> None:
    subject = fitting(method, "vgg")
    network, images = network_of(subject), SUBJECTS[subject].images()
    before = traces(network)

    def interrupt(_: float) -> None:
        raise Interrupted

    chosen, params = METHODS[method], METHODS[method].params(**cheap(method))
    shared = Pass(network, images, recording_for(chosen, params, Pass(network, images)))
    probe = Probe(
        shared,
        range(3),
        TARGETS,
        circumstances=Circumstances(interrupt),
        references=references(images),
        graphs=[[graph.excerpt for graph in graphs_of(network, images, TARGETS)]] * 3,
    )
    with pytest.raises(Interrupted):
        chosen.explain(probe, params)

    assert traces(network) == before
    assert torch.is_grad_enabled()


@every_method
def test_the_same_seed_gives_the_same_map(method: str) -> None:
    subject = fitting(method, "reused-in-place")
    images = SUBJECTS[subject].images()
    first, second = (explain(network_of(subject), images, TARGETS, method, seed=11) for _ in range(2))

    assert torch.equal(first, second)


@every_method
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
def test_the_callers_gradient_mode_changes_nothing(
    method: str, mode: type[torch.no_grad | torch.inference_mode]
) -> None:
    subject = fitting(method, "concatenating")
    network, images = network_of(subject), SUBJECTS[subject].images()[[0]]
    with mode():
        maps = explain(network, images.clone(), TARGETS[:1], method)

    assert_equal_maps(maps, run(method, subject).maps[[0]], tolerance=FINENESS.get(method, 1e-5))


@every_method
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_half_precision_networks_give_float32_maps(method: str, dtype: torch.dtype) -> None:
    subject = fitting(method, "vgg")
    maps = explain(network_of(subject, dtype), SUBJECTS[subject].images(), TARGETS, method)

    assert maps.dtype == torch.float32
    assert_alike(maps, run(method, subject).maps, LIKENESS.get(method, 0.98))


@every_method
def test_channels_last_weights_change_nothing(method: str) -> None:
    subject = fitting(method, "concatenating")
    network = network_of(subject, memory_format=torch.channels_last)
    maps = explain(network, SUBJECTS[subject].images(), TARGETS, method)

    assert_equal_maps(maps, run(method, subject).maps, tolerance=1e-4)


@every_method
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_gpu_gives_the_same_maps(method: str, dtype: torch.dtype) -> None:
    subject = fitting(method, "vgg")
    network = network_of(subject, dtype, device="cuda")
    maps = explain(network, SUBJECTS[subject].images(), TARGETS, method)

    assert_alike(maps, run(method, subject).maps, LIKENESS.get(method, 0.98))


@every_method
def test_two_threads_on_one_network_agree_with_one_after_the_other(method: str) -> None:
    subject = fitting(method, "resnet18")
    network, images = network_of(subject), SUBJECTS[subject].images()
    before = traces(network)
    rows = [0, 1, 2, 0]

    with ThreadPoolExecutor(2) as threads:
        parallel = list(
            threads.map(lambda row: explain(network, images[[row]], [TARGETS[row]], method), rows)
        )

    tolerance = FINENESS.get(method, 1e-5)
    assert_equal_maps(torch.cat(parallel), run(method, subject).maps[rows], tolerance=tolerance)
    assert traces(network) == before


@pytest.mark.parametrize(("need", "field"), [(Need.REFERENCE, "reference"), (Need.GRAPH, "graph")])
def test_without_what_there_must_be_beside_the_image_the_refusal_names_it(need: Need, field: str) -> None:
    needy = [name for name in METHODS if need in METHODS[name].needs]
    assert needy
    for method in needy:
        network, images = network_of(subject := fitting(method, "vgg")), SUBJECTS[subject].images()
        with pytest.raises(NotExplainable) as refusal:
            workers.explain(network, images, method=method, **cheap(method))
        assert [problem.field for problem in refusal.value.problems] == [field]


@cache
def run(method: str, subject: str) -> Run:
    network = network_of(subject)
    before = traces(network)
    maps = explain(network, SUBJECTS[subject].images(), TARGETS, method)
    return Run(maps, before, traces(network))


@cache  # what is found out about a network is kept with it, so all tests share one
def network_of(
    subject: str,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    memory_format: torch.memory_format = torch.preserve_format,
) -> nn.Module:
    network: nn.Module = SUBJECTS[subject].network()
    return network.to(device=device, dtype=dtype, memory_format=memory_format)  # type: ignore[call-overload,no-any-return]


def fitting(method: str, subject: str) -> str:
    """The subject, or another that the method does not refuse."""
    return next(one for one in (subject, *SUBJECTS) if one not in REFUSED.get(method, ()))


def armed_network(subject: str) -> nn.Module:
    return nn.Sequential(SUBJECTS[subject].network(), Armed()).eval()


@cache
def tried_network(method: str, subject: str) -> nn.Module:
    network = _tried_network(subject)
    explain(network, SUBJECTS[subject].images(), TARGETS, method)
    return network


_tried_network = cache(armed_network)


@contextmanager
def arm(network: nn.Module) -> Iterator[None]:
    armed = network.get_submodule("1")
    assert isinstance(armed, Armed)
    armed.armed = True
    try:
        yield
    finally:
        armed.armed = False


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    try:
        yield network.requires_grad_(False)
    finally:
        network.requires_grad_(True)


def cheap(method: str) -> Mapping[str, Any]:  # Any: parameters of methods
    return CHEAP.get(method, {})


def references(images: Tensor) -> Tensor:
    """One for each image, of another class where a network of random weights has several."""
    return images + 2


def explain(
    network: nn.Module, images: Tensor, targets: Sequence[int], method: str, *, seed: int = 0
) -> Tensor:
    wanted = None if method in OF_THE_PREDICTED else targets
    needs, beside = METHODS[method].needs, dict[str, Any]()
    if Need.REFERENCE in needs:
        beside["reference"] = references(images)
    if Need.GRAPH in needs:
        beside["graph"] = graphs_of(network, images, targets)
    return workers.explain(network, images, wanted, method, seed=seed, **beside, **cheap(method))


def traces(network: nn.Module) -> dict[str, Any]:  # Any: whatever could be left behind
    """Equal before and after if nothing was left behind and no number was changed."""
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
        "memory": [(value.data_ptr(), value._version) for value in network.state_dict().values()],
        "values": [value.double().sum().item() for value in network.state_dict().values()],
        "noise": torch.get_rng_state().tolist(),
    }

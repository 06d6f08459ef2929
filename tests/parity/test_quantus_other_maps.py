"""Metrics that ask for further maps beside Quantus and captum, of the same images, classes and weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from captum.metrics import sensitivity_max
from numpy.typing import NDArray
from torch import Tensor, nn

import workers
from tests.parity.quantus_side import (
    SUBJECTS,
    assert_close,
    elsewhere,
    in_turn,
    points,
    quantus,
    say,
    subject,
    tensor,
)
from workers.probe.twins import storeys_of, twin_of
from workers.tensors.similarities import ssim

METHODS = ["saliency", "grad-cam"]
SAMPLES = 5
on_every_subject = pytest.mark.parametrize("name", SUBJECTS)
of_methods = pytest.mark.parametrize("method", METHODS)
quantus_model = quantus.helpers.model.pytorch_model.PyTorchModel


def explaining(method: str) -> dict[str, Any]:  # Any: as Quantus is called
    """Our method in the words of Quantus."""

    # Any: what is not looked at
    def explain(model: nn.Module, inputs: Any, targets: NDArray[np.int64], **_: Any) -> NDArray[np.float32]:
        some = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
        return np.asarray(workers.explain(model, some, torch.as_tensor(targets), method=method).numpy())

    return {"explain_func": explain}


@of_methods
@on_every_subject
def test_max_sensitivity_agrees_with_quantus_and_captum(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, heard = subject(name), elsewhere(monkeypatch)
    maps = judged.maps(method)
    found = judged.measure("max-sensitivity", maps, method=method, radius=0.05, samples=SAMPLES).values
    near = points(heard)

    theirs = say(
        "MaxSensitivity",
        judged,
        maps,
        explaining(method),
        nr_samples=SAMPLES,
        perturb_func=in_turn(near),
    )
    assert_close(found, tensor(theirs))

    targets = torch.tensor(judged.targets)

    def explain(inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:  # captum says it one way and the other
        some = inputs[0] if isinstance(inputs, tuple) else inputs
        of = targets.repeat_interleave(len(some) // len(targets))
        return (workers.explain(judged.network, some, of, method=method),)

    captums = sensitivity_max(
        explain,
        judged.images,
        lambda _: near.flatten(0, 1),
        n_perturb_samples=SAMPLES,
        max_examples_per_batch=SAMPLES * len(targets),
    )
    assert_close(found, captums)


@of_methods
@on_every_subject
def test_local_lipschitz_agrees(name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    judged, heard = subject(name), elsewhere(monkeypatch)
    maps = judged.maps(method)
    found = judged.measure("local-lipschitz", maps, method=method, samples=SAMPLES).values

    theirs = say(
        "LocalLipschitzEstimate",
        judged,
        maps,
        explaining(method),
        nr_samples=SAMPLES,
        perturb_func=in_turn(points(heard)),
    )
    assert_close(found, tensor(theirs))


@of_methods
@on_every_subject
def test_random_logit_agrees_on_the_same_other_class(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = subject(name)
    maps = judged.maps(method)
    found = judged.measure("random-logit", maps, method=method)
    assert found.details is not None
    others = [detail["other"] for detail in found.details]
    left = [other - (other > target) for other, target in zip(others, judged.targets, strict=True)]
    monkeypatch.setattr(np.random, "randint", lambda *_: np.array(left))

    with torch.no_grad():
        classes = judged.network(judged.images).shape[1]
    theirs = say(
        "RandomLogit",
        judged,
        maps,
        explaining(method),
        num_classes=classes,
        similarity_func=quantus.similarity_func.correlation_spearman,
    )
    assert_close(found.values, tensor(theirs))


def test_structural_similarity_of_quantus_reads_an_image_as_one_line() -> None:
    """So it is another one for maps that were both turned by a quarter; ours is the same."""
    stripes = torch.rand(2, 12, 1, generator=torch.Generator().manual_seed(2))
    maps = stripes.expand(-1, -1, 14)
    turned = maps.rot90(1, (1, 2)).contiguous()

    def theirs(pair: Tensor) -> float:
        one, other = pair.flatten(1).unsqueeze(1).numpy()
        (value,) = quantus.similarity_func.ssim(one, other, batched=True)
        return float(value)

    assert abs(theirs(maps) - theirs(turned)) > 0.1
    torch.testing.assert_close(ssim(maps[:1], maps[1:]), ssim(turned[:1], turned[1:]))


def of_storeys(network: nn.Module, images: Tensor, order: str) -> Iterator[tuple[str, nn.Module]]:
    """What Quantus asks of a model: layers from the output down, and twins without what they learned."""
    storeys = storeys_of(network, images)[::-1]
    for number, storey in enumerate(storeys):
        redrawn = storeys[: number + 1] if order == "top_down" else [storey]
        yield storey.path, twin_of(network, [path for one in redrawn for path in one.modules])


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")  # of maps of one value
@pytest.mark.parametrize("mode", ["cascading", "independent"])
@of_methods
@on_every_subject
def test_parameter_randomisation_agrees_on_the_same_weights(
    name: str, method: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = subject(name)
    maps = judged.maps(method)
    found = judged.measure("parameter-randomisation", maps, method=method, mode=mode, layers=100)
    assert found.details is not None
    layers = found.details[0]["layers"]
    monkeypatch.setattr(
        quantus_model,
        "get_random_layer_generator",
        lambda model, order, **_: of_storeys(model.model, judged.images, order),
    )
    order = {"cascading": "top_down", "independent": "independent"}[mode]
    theirs = say("MPRT", judged, maps, explaining(method), layer_order=order)

    assert list(theirs) == ["original", *layers]
    for row, detail in enumerate(found.details):
        expected = torch.stack([tensor(theirs[layer])[row] for layer in layers])
        curve = torch.tensor([torch.nan if s is None else s for s in detail["curve"]])
        told = curve.isfinite()
        assert told.any()
        assert expected[~told].isnan().all()
        assert_close(curve[told], expected[told])
        assert_close(found.values[row], expected[told].abs().mean())


def test_the_average_of_quantus_counts_the_network_as_it_was() -> None:
    judged = subject("pooled")
    call, maps = explaining("saliency"), judged.maps()
    by_layer = say("MPRT", judged, maps, call)
    average = say("MPRT", judged, maps, call, return_average_correlation=True)

    curves = torch.stack([tensor(values) for layer, values in by_layer.items() if layer != "original"])
    assert average == pytest.approx(((1 + curves.sum(dim=0)) / (1 + len(curves))).tolist())
    found = judged.measure("parameter-randomisation", maps, layers=100)
    assert found.details is not None
    assert all(len(detail["curve"]) == 2 for detail in found.details)


def last_twin(network: nn.Module) -> nn.Module:
    """The network of which Quantus says that all layers are random."""
    *_, (_, twin) = quantus_model(network).get_random_layer_generator()
    return twin  # type: ignore[no-any-return]  # the peer has no types


def test_quantus_gives_layers_of_one_shape_the_same_weights() -> None:
    network = nn.Sequential(*(nn.Linear(5, 5) for _ in range(2))).eval()
    theirs, ours = last_twin(network), twin_of(network, ["0", "1"])

    first, second = (theirs.get_parameter(f"{layer}.weight") for layer in "01")
    assert torch.equal(first, second)
    first, second = (ours.get_parameter(f"{layer}.weight") for layer in "01")
    assert not torch.equal(first, second)


def test_quantus_leaves_weights_that_no_layer_of_torch_holds() -> None:
    network = subject("phantom-vit").network
    everything = [
        path for storey in storeys_of(network, subject("phantom-vit").images) for path in storey.modules
    ]
    theirs, ours = last_twin(network), twin_of(network, everything)

    before = dict(network.named_parameters())
    kept = [name for name, one in theirs.named_parameters() if torch.equal(one, before[name])]
    assert kept
    assert not [name for name, one in ours.named_parameters() if torch.equal(one, before[name])]

"""Representation erasure by brute force: one forward of the whole network for each unit that is zeroed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

import workers
from tests.unit.workers.methods.readings import enlarged
from tests.unit.workers.networks import SUBJECTS, Pooled, Subject, seeded
from workers.methods.representation_erasure import METHOD, ErasureParams
from workers.probe import Probe
from workers.probe.layers import Layer, layers_of
from workers.probe.passes import Pass
from workers.tasks import recording_for

Change = Callable[[Tensor], object]  # in place, of the grids (N, C, h, w) of a layer

TARGETS = [1, 3]
AT_ONCE = 32  # copies of the images
PLACES = {
    "pooled": ("features", Subject(Pooled, (3, 12, 20))),
    "vgg": ("0.2", SUBJECTS["vgg"]),
    "resnet": ("layer4", SUBJECTS["resnet18"]),
    "tokens": ("encoder.layers.encoder_layer_2.ln_1", SUBJECTS["vision-transformer"]),
    "channels-last": ("features.3", SUBJECTS["swin"]),
}
every_place = pytest.mark.parametrize(("layer", "subject"), PLACES.values(), ids=PLACES.keys())


@every_place
@pytest.mark.parametrize("output", ["log-probability", "logit"])
def test_a_cell_is_worth_what_zeroing_it_by_a_hook_costs(layer: str, subject: Subject, output: str) -> None:
    network, images = subject.network().double(), subject.images(2).double()
    place = layers_of(network, images).resolve(layer)
    height, width = place.layout.height, place.layout.width
    whole = changed_scores(network, images, place, lambda grids: grids, output)
    losses = [
        whole - changed_scores(network, images, place, erasing_cell(at, width), output)
        for at in range(height * width)
    ]
    expected = (torch.stack(losses, dim=1) / whole.abs()[:, None]).view(2, height, width)

    maps = workers.explain(network, images, TARGETS, "representation-erasure", layer, output=output)

    assert_close(maps, enlarged(expected, images))


@every_place
def test_a_channel_is_worth_what_zeroing_it_costs_where_it_is_active(layer: str, subject: Subject) -> None:
    network, images = subject.network().double(), subject.images(2).double()
    place = layers_of(network, images).resolve(layer)
    grids = Pass(network, images, recording_for(METHOD, ErasureParams(layer=layer), Pass(network, images)))
    features = grids.activations(place).double()
    whole = changed_scores(network, images, place, lambda grids: grids)
    expected = torch.zeros(2, *features.shape[2:], dtype=torch.float64)
    for first in range(0, features.shape[1], AT_ONCE):
        channels = range(first, min(first + AT_ONCE, features.shape[1]))
        copies = images.repeat(len(channels), 1, 1, 1)
        erased = changed_scores(network, copies, place, erasing_channels(channels))
        for channel, scores in zip(channels, erased.view(-1, 2), strict=True):
            active = features[:, channel].abs()
            shares = active / active.sum((1, 2), keepdim=True).clamp_min(1e-300)
            expected += ((whole - scores) / whole.abs())[:, None, None] * shares

    maps = workers.explain(network, images, TARGETS, "representation-erasure", layer, unit="channel")

    assert_close(maps, enlarged(expected, images))


def test_details_name_the_channels_that_matter_most() -> None:
    network, images = seeded(Pooled).double(), torch.rand(1, 3, 12, 20).double()
    params = ErasureParams(layer="features", unit="channel", relative=False)
    shared = Pass(network, images, recording_for(METHOD, params, Pass(network, images)))
    place = shared.layer("features")
    channels = shared.activations(place).shape[1]
    whole = changed_scores(network, images, place, lambda grids: grids)
    erased = [changed_scores(network, images, place, erasing_channel(k)) for k in range(channels)]
    losses = whole - torch.cat(erased)

    relevance = METHOD.explain(Probe(shared, [0], [TARGETS[0]]), params)

    assert relevance.details is not None
    named = relevance.details[0]["channels"]
    assert [one["channel"] for one in named] == losses.abs().argsort(descending=True)[: len(named)].tolist()
    assert named[0]["loss"] == pytest.approx(float(losses[named[0]["channel"]]), rel=1e-6)


def test_what_speaks_for_the_class_is_positive_though_a_log_probability_is_not() -> None:
    network = seeded(Pooled)
    images = torch.rand(2, 3, 12, 20)

    relative = workers.explain(network, images, TARGETS, "representation-erasure")
    plain = workers.explain(network, images, TARGETS, "representation-erasure", relative=False)

    scale = network(images).log_softmax(dim=1)[[0, 1], TARGETS].abs()
    assert (scale > 0).all()
    torch.testing.assert_close(relative * scale[:, None, None], plain)


def test_a_score_of_zero_gives_a_finite_map() -> None:
    network = seeded(Pooled)
    assert isinstance(network, Pooled)
    network.head.bias.data[0] = 1000  # beyond what the log-probability can tell from sure

    assert not workers.explain(network, torch.rand(2, 3, 12, 20), 0, "representation-erasure").any()


def erasing_cell(cell: int, width: int) -> Change:
    return lambda grids: grids[:, :, cell // width, cell % width].zero_()


def erasing_channel(channel: int) -> Change:
    return lambda grids: grids[:, channel].zero_()


def erasing_channels(channels: Sequence[int]) -> Change:
    """In each copy of the two images another one."""

    def erase(grids: Tensor) -> None:
        for copy, channel in enumerate(channels):
            grids[2 * copy : 2 * copy + 2, channel].zero_()

    return erase


def changed_scores(
    network: nn.Module, images: Tensor, place: Layer, change: Change, output: str = "log-probability"
) -> Tensor:
    """(N,): what the targets, in turn, get when the grid of a layer is changed at its module's last call."""
    count = 0

    def react(_module: nn.Module, _inputs: object, result: Tensor) -> Tensor | None:
        nonlocal count
        count += 1
        if count != 2 * calls:
            return None
        changed = result.clone()
        change(place.layout.to_maps(changed))
        return changed

    calls = -1
    with network.get_submodule(place.path).register_forward_hook(react), torch.no_grad():
        network(images[:1])
        calls = count
        logits = network(images)
    answers = logits.log_softmax(dim=1) if output == "log-probability" else logits
    scores: Tensor = answers[torch.arange(len(images)), (TARGETS * len(images))[: len(images)]]
    return scores


def assert_close(found: Tensor, expected: Tensor) -> None:
    scale = expected.abs().amax((1, 2), keepdim=True)
    torch.testing.assert_close(found / scale.float(), (expected / scale).float(), rtol=0, atol=1e-6)

"""Score-CAM by other roads: forward by forward as the paper says, and its degenerate cases."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import workers
from tests.unit.workers.forwards import count_forwards
from tests.unit.workers.methods.readings import enlarged, read
from tests.unit.workers.networks import Pooled, seeded
from workers.methods.score_cam import METHOD, ScoreCamParams
from workers.probe import Probe
from workers.probe.passes import Pass, Recording

TARGETS = [1, 7]


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("baseline", ["zero", "white"])
def test_it_is_a_loop_over_masked_images(output: str, baseline: str) -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 12, 20)
    features, _ = read(network, images, TARGETS, "features")
    empty = torch.zeros_like(images[0]) if baseline == "zero" else torch.ones_like(images[0])
    expected = torch.stack(
        [
            weights(network, image, feature, empty, target=target, output=output) @ feature.flatten(1)
            for image, feature, target in zip(images, features, TARGETS, strict=True)
        ]
    ).view(2, *features.shape[2:])

    maps = workers.explain(
        network, images, TARGETS, "score-cam", value_range=(0, 1), output=output, baseline=baseline
    )

    torch.testing.assert_close(maps, enlarged(expected.relu(), images))


def test_constant_feature_maps_are_worth_nothing_and_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 12, 20)
    assert isinstance(network, Pooled)
    convolution = network.features[0]
    assert isinstance(convolution, nn.Conv2d)
    convolution.weight.data[1:4] = 0
    assert convolution.bias is not None
    convolution.bias.data[1:4] = torch.tensor([0.0, -1.0, 1.0])
    features, _ = read(network, images, TARGETS, "features")
    nothing = torch.zeros(3, 12, 20)
    expected = torch.stack(
        [
            weights(network, image, feature, nothing, target=target, output="logit") @ feature.flatten(1)
            for image, feature, target in zip(images, features, TARGETS, strict=True)
        ]
    ).view(2, *features.shape[2:])
    forwards = count_forwards(monkeypatch)

    maps = workers.explain(network, images, TARGETS, "score-cam", relu=False)

    torch.testing.assert_close(maps, enlarged(expected, images))
    assert sum(forwards) == 2 + 2 * 3 + 2  # the images, and for each three feature maps and one baseline


def test_every_target_is_read_from_the_same_forwards(monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 12, 20)
    layer = Pass(network, images).layer(None)
    shared = Pass(network, images, Recording((layer,)))
    assert shared.logits.isfinite().all()
    forwards = count_forwards(monkeypatch)
    rows = [(image, target) for image in range(2) for target in range(10)]

    relevance = METHOD.explain(Probe(shared, *map(list, zip(*rows, strict=True))), ScoreCamParams())

    assert sum(forwards) == 2 * 6 + 2
    alone = workers.explain(network, images, [3, 4], "score-cam")
    torch.testing.assert_close(relevance.maps[[3, 14]], alone)
    assert relevance.samples is not None
    assert relevance.samples.tolist() == [6] * 20


def test_fewer_channels_are_those_whose_values_differ_most() -> None:
    network, images = seeded(Pooled), torch.rand(1, 3, 12, 20)
    features, _ = read(network, images, [4], "features")
    spreads = (features.amax((2, 3)) - features.amin((2, 3)))[0]
    chosen = spreads.argsort(descending=True)[:2]
    nothing = torch.zeros(3, 12, 20)
    scores = weights(network, images[0], features[0], nothing, target=4, output="logit").log()
    expected = (scores[chosen].softmax(0) @ features[0, chosen].flatten(1)).view(1, *features.shape[2:])

    maps = workers.explain(network, images, 4, "score-cam", channels=2, relu=False)

    torch.testing.assert_close(maps, enlarged(expected, images))


def weights(
    network: nn.Module, image: Tensor, features: Tensor, empty: Tensor, *, target: int, output: str
) -> Tensor:
    """(C,): the softmax of what the score gains over the baseline, channel by channel."""

    def ask(one: Tensor) -> float:
        with torch.no_grad():
            answer = network(one.unsqueeze(0))[0]
        return float((answer.softmax(dim=0) if output == "probability" else answer)[target])

    gains = []
    for feature in features:
        mask = F.interpolate(feature[None, None], size=image.shape[1:], mode="bilinear")[0, 0]
        flat = mask.max() == mask.min()
        mask = torch.zeros_like(mask) if flat else (mask - mask.min()) / (mask.max() - mask.min())
        gains.append(ask(empty + mask * (image - empty)) - ask(empty))
    return torch.tensor(gains).softmax(dim=0)

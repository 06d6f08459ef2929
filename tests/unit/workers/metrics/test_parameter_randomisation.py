"""Parameter randomisation in closed form, stage by stage, and on maps that know nothing of the network."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.unit.workers.correlations import rank_correlation
from tests.unit.workers.metrics.peers import of_peer
from tests.unit.workers.networks import Linear, Pooled, seeded, vgg, vision_transformer
from workers import explain, measure
from workers.measuring.peers import EDGES, random_peer
from workers.probe.twins import twin_of

METRIC = "parameter-randomisation"
DEEP = ["0.0", "0.3", "3", "6"]  # the layers of the small VGG


def images(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


# Any: words of JSON
def words(network: nn.Module, some: Tensor, method: str = "saliency", **params: Any) -> list[Any]:
    found = measure(network, some, 1, method, METRIC, **params)
    assert found.details is not None
    for value, one in zip(found.values.tolist(), found.details, strict=True):
        told = [abs(s) for s in one["curve"] if s is not None]
        assert value == pytest.approx(sum(told) / len(told), abs=1e-6)
    return list(found.details)


@pytest.mark.parametrize("mode", ["cascading", "independent"])
def test_on_a_linear_network_it_is_that_of_the_old_weights_and_the_new(mode: str) -> None:
    network, some = seeded(lambda: Linear(3, 7, 9)), images(2, 3, 7, 9)
    assert isinstance(network, Linear)
    new = twin_of(network, ["head"]).get_parameter("head.weight").detach().view(10, 3, 7, 9)[1]
    for one, row in zip(words(network, some, "input-x-gradient", mode=mode), some, strict=True):
        maps = [(weights * row).sum(dim=0) for weights in (network.weights([1])[0], new)]
        assert one["layers"] == ["head"]
        assert one["curve"] == pytest.approx([rank_correlation(*maps)], abs=2e-6)


@pytest.mark.parametrize("method", ["saliency", "grad-cam", "guided-backprop", "integrated-gradients"])
def test_each_stage_is_the_map_of_a_whole_network_with_its_weights(method: str) -> None:
    network, some = seeded(vgg), images(2, 3, 37, 29)
    for mode in ("cascading", "independent"):
        found = words(network, some, method, mode=mode)
        assert found[0]["layers"] == DEEP[::-1]
        for stage in range(4):
            redrawn = DEEP[3 - stage :] if mode == "cascading" else [DEEP[3 - stage]]
            copy = deepcopy(network)
            copy.load_state_dict(twin_of(network, redrawn).state_dict())
            pair = [explain(one, some, 1, method) for one in (network, copy)]
            for row in range(2):
                own, other = (maps[row] for maps in pair)
                expected = None if other.min() == other.max() else rank_correlation(own, other)
                assert found[row]["curve"][stage] == pytest.approx(expected, abs=1e-3)


def test_stages_are_evenly_chosen_and_a_cascade_ends_at_the_input() -> None:
    network, some = seeded(vgg), images(1, 3, 37, 29)
    chosen = {
        (mode, layers): words(network, some, mode=mode, layers=layers)[0]["layers"]
        for mode in ("cascading", "independent")
        for layers in (1, 2, 3, 50)
    }
    assert chosen == {
        ("cascading", 1): ["0.0"],
        ("cascading", 2): ["3", "0.0"],
        ("cascading", 3): ["3", "0.3", "0.0"],
        ("cascading", 50): DEEP[::-1],
        ("independent", 1): ["3"],
        ("independent", 2): ["3", "0.0"],
        ("independent", 3): ["6", "3", "0.0"],
        ("independent", 50): DEEP[::-1],
    }


class Ignoring(nn.Module):
    """Linear in the image; another layer adds what knows no image."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(images(10, 49))
        self.bias = nn.Linear(4, 10)

    def forward(self, some: Tensor) -> Tensor:
        constant = self.bias(torch.ones_like(some[:, 0, 0, :4]))
        return torch.as_tensor(some.flatten(1) @ self.places.T + constant)


def test_only_a_layer_that_matters_changes_the_map() -> None:
    found = words(seeded(Ignoring), images(1, 1, 7, 7), "input-x-gradient", mode="independent")[0]
    curve = dict(zip(found["layers"], found["curve"], strict=True))
    assert curve["bias"] == pytest.approx(1)
    assert abs(curve[""]) < 0.5


def test_a_map_that_ignores_the_network_stays_as_it_is() -> None:
    for peer in (EDGES, random_peer((12, 14)), random_peer((3, 4))):
        values = of_peer(peer, seeded(Pooled), images(2, 3, 12, 14), METRIC).values
        torch.testing.assert_close(values, torch.ones(2, dtype=torch.float64))


def test_the_seed_of_a_row_does_not_choose_the_weights() -> None:
    network, some = seeded(Pooled), images(1, 3, 12, 14)
    assert words(network, some, seed=1) == words(network, some, seed=2)


def test_the_network_is_left_as_it_was_and_twins_read_its_layer() -> None:
    network, some = vision_transformer(), images(2, 3, 32, 32)
    before = deepcopy(network.state_dict())
    found = measure(
        network, some, 1, "grad-cam", METRIC, method_params={"layer": "encoder.layers.encoder_layer_1"}
    )
    assert found.values.isfinite().all()
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())


def test_a_network_without_weights_has_nothing_to_lose() -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()).eval()
    found = measure(network, images(2, 1, 8, 8), 1, "saliency", METRIC)
    assert found.values.isnan().all()
    assert found.details == ({"layers": [], "curve": []},) * 2


def test_structural_similarity_is_asked_for_by_name() -> None:
    network, some = seeded(Pooled), images(1, 3, 12, 14)
    assert words(network, some, similarity="ssim") != words(network, some)


class Rectified(nn.Module):
    """Each class is lifted above zero by a learned number; numbers drawn anew leave some below."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(49, 10)
        self.lift = nn.Parameter(torch.tensor([[-900.0] * 5 + [900.0] * 5]))

    def forward(self, some: Tensor) -> Tensor:
        return torch.relu(self.layer(some.flatten(1)) + self.lift)


def test_a_stage_that_leaves_nothing_of_the_map_says_nothing() -> None:
    network, some = seeded(Rectified), images(1, 1, 7, 7).expand(5, -1, -1, -1)
    targets = [5, 6, 7, 8, 9]
    found = measure(network, some, targets, "input-x-gradient", METRIC, layers=1)
    twin = twin_of(network, ["", "layer"])
    alive = (twin(some)[0, targets] > 0).tolist()
    assert found.values.isfinite().tolist() == alive
    assert set(alive) == {True, False}
    assert found.details is not None
    assert [one["curve"][0] is not None for one in found.details] == alive

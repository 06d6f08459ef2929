"""Random logit in closed form on a linear network, and what it says of maps that know no class."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.unit.workers.correlations import rank_correlation
from tests.unit.workers.metrics.peers import of_peer
from tests.unit.workers.networks import CLASSES, Linear, Pooled, seeded
from workers import explain, measure
from workers.measuring.peers import EDGES, random_peer

SHAPE = (3, 7, 9)


def images(count: int) -> torch.Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_a_linear_network_it_is_that_of_two_rows_of_its_matrix(seed: int) -> None:
    network, some, targets = seeded(lambda: Linear(*SHAPE)), images(3), [0, 4, 9]
    assert isinstance(network, Linear)
    found = measure(network, some, targets, "input-x-gradient", "random-logit", seed=seed)
    assert found.details is not None
    for row, target in enumerate(targets):
        other = found.details[row]["other"]
        one, two = ((network.weights([c])[0] * some[row]).sum(dim=0).flatten() for c in (target, other))
        expected = rank_correlation(one, two)
        assert float(found.values[row]) == pytest.approx(expected, abs=1e-6)


def test_the_other_class_is_any_but_the_target_and_follows_from_the_seed() -> None:
    network, some = seeded(lambda: Linear(*SHAPE)), images(1)
    drawn = []
    for seed in range(60):
        found = [measure(network, some, 3, "saliency", "random-logit", seed=seed) for _ in range(2)]
        assert found[0].details == found[1].details
        assert found[0].details is not None
        drawn.append(found[0].details[0]["other"])
    assert set(drawn) == set(range(CLASSES)) - {3}


def test_of_two_opposite_classes_maps_are_turned_round_and_far_from_alike() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(63, 2, bias=False)).eval()
    with torch.no_grad():
        weights = network.get_parameter("1.weight")
        weights[1] = -weights[0]
    some = torch.randn(2, 1, 7, 9)
    found = measure(network, some, [0, 1], "input-x-gradient", "random-logit")
    torch.testing.assert_close(found.values, -torch.ones(2, dtype=torch.float64))
    same = measure(network, some, [0, 1], "saliency", "random-logit")
    torch.testing.assert_close(same.values, torch.ones(2, dtype=torch.float64))


def test_structural_similarity_sees_the_class_too() -> None:
    network, some = seeded(Pooled), images(2)
    found = measure(network, some, 1, "input-x-gradient", "random-logit", similarity="ssim")
    assert (found.values < 0.9).all()
    blind = measure(network, some, 1, "eigen-cam", "random-logit", similarity="ssim")
    torch.testing.assert_close(blind.values, torch.ones(2, dtype=torch.float64))


def test_a_given_map_stands_against_the_method_s_map_of_the_other_class() -> None:
    network, some = seeded(lambda: Linear(*SHAPE)), images(1)
    drawn = measure(network, some, 2, "input-x-gradient", "random-logit")
    assert drawn.details is not None
    maps = explain(network, some, drawn.details[0]["other"], method="input-x-gradient")
    found = measure(network, some, 2, "input-x-gradient", "random-logit", maps=maps)
    assert float(found.values) == pytest.approx(1)


def test_what_knows_no_network_knows_no_class() -> None:
    for peer in (EDGES, random_peer((7, 9)), random_peer((2, 3))):
        values = of_peer(peer, seeded(Pooled), images(2), "random-logit").values
        torch.testing.assert_close(values, torch.ones(2, dtype=torch.float64))


def test_where_there_is_one_class_it_says_nothing() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(63, 1)).eval()
    assert measure(network, torch.rand(2, 1, 7, 9), 0, "saliency", "random-logit").values.isnan().all()

"""Infidelity in closed form on the linear model, and against a loop over squares."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.workers.networks import Linear, Pooled, seeded
from workers import measure
from workers.declare import Measure
from workers.metrics import infidelity
from workers.metrics.infidelity import draw_squares, inside

TARGETS = [1, 7]
SIZE = (5, 6)


def images() -> Tensor:
    return torch.rand(2, 3, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def linear() -> Linear:
    network = seeded(lambda: Linear(3, *SIZE))
    assert isinstance(network, Linear)
    return network.double()


def of_linear(maps: Tensor) -> tuple[list[float], list[Any]]:  # Any: details
    found = measure(linear(), images(), TARGETS, metric="infidelity", maps=maps)
    assert found.details is not None
    return found.values.tolist(), [dict(detail) for detail in found.details]


@pytest.mark.parametrize("factor", [1.0, 40.0, -0.25])
def test_what_each_pixel_adds_to_a_linear_model_predicts_everything_in_any_unit(factor: float) -> None:
    shares = (linear().weights(TARGETS) * images()).sum(dim=1)
    values, details = of_linear(shares * factor)
    assert values == pytest.approx([0, 0], abs=1e-12)
    for detail in details:
        assert detail["beta"] == pytest.approx(1 / factor)
        assert detail["relative"] == pytest.approx(0, abs=1e-12)


def test_a_map_of_nothing_misses_all_that_changes() -> None:
    values, details = of_linear(torch.zeros(2, *SIZE))
    assert all(value > 0 for value in values)
    assert [(detail["beta"], detail["relative"]) for detail in details] == [(0, 1), (0, 1)]


def test_where_nothing_changes_there_is_no_share_to_tell() -> None:
    network = linear()
    torch.nn.init.zeros_(network.head.weight)
    found = measure(network, images(), TARGETS, metric="infidelity", maps=torch.rand(2, *SIZE))
    assert found.values.tolist() == [0, 0]
    assert found.details is not None
    assert [detail["relative"] for detail in found.details] == [None, None]


def test_it_is_the_least_squares_error_of_a_loop_over_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each square is removed alone, from the whole image."""
    drawn: list[Tensor] = []

    def noted(*given: Any) -> Tensor:  # Any: handed on
        drawn.append(draw_squares(*given))
        return drawn[-1]

    monkeypatch.setattr(infidelity, "draw_squares", noted)
    network, maps = seeded(Pooled).double(), torch.randn(2, *SIZE, dtype=torch.float64)
    found = measure(network, images(), TARGETS, metric="infidelity", maps=maps, samples=9, filling="mean")
    for row, target in enumerate(TARGETS):
        predicted, actual = [], []
        for top, left, side in drawn[0][row].tolist():
            seen = images()[row].clone()
            seen[:, top : top + side, left : left + side] = seen.mean(dim=(1, 2))[:, None, None]
            with torch.no_grad():
                change = network(images()[row : row + 1]) - network(seen.unsqueeze(0))
            actual.append(float(change[0, target]))
            predicted.append(float(maps[row, top : top + side, left : left + side].sum()))
        columns = torch.tensor(predicted)[:, None], torch.tensor(actual)[:, None]
        solved = torch.linalg.lstsq(*(one.double() for one in columns)).solution.item()
        errors = [(solved * one - other) ** 2 for one, other in zip(predicted, actual, strict=True)]
        assert float(found.values[row]) == pytest.approx(sum(errors) / 9, rel=1e-5)
        assert found.details is not None
        assert found.details[row]["beta"] == pytest.approx(solved, rel=1e-5)
        relative = sum(errors) / sum(one**2 for one in actual)
        assert found.details[row]["relative"] == pytest.approx(relative, rel=1e-5)


def test_squares_lie_within_the_image_have_every_side_and_follow_the_seed() -> None:
    one, other, again = (
        draw_squares([torch.Generator().manual_seed(seed)], 400, 3, SIZE)[0] for seed in (1, 2, 1)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    tops, lefts, sides = one.unbind(dim=1)
    assert set(sides.tolist()) == {1, 2, 3}
    assert set((tops + sides).tolist()) == set(range(1, SIZE[0] + 1))
    assert set((lefts + sides).tolist()) == set(range(1, SIZE[1] + 1))
    assert min(tops.min(), lefts.min()) == 0
    assert inside(one, SIZE).sum(dim=(1, 2)).equal(sides**2)
    assert inside(torch.tensor([1, 2, 2]), SIZE).nonzero().tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]


def test_rows_with_the_same_map_and_seed_but_another_class_are_told_apart() -> None:
    some = images()[:1].expand(2, -1, -1, -1)
    found: Measure = measure(
        seeded(Pooled).double(),
        some,
        TARGETS,
        metric="infidelity",
        maps=torch.rand(1, *SIZE).expand(2, -1, -1),
    )
    assert found.values[0] != found.values[1]

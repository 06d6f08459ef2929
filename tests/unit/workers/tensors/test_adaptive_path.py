"""One step of an adaptive path, worked out by hand."""

from __future__ import annotations

import torch

from workers.tensors.adaptive_path import advance


def test_the_cheapest_go_first_and_the_last_group_in_proportion() -> None:
    costs = torch.tensor([[4.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
    extents = torch.tensor([[1.0, 1.0, 1.0, 2.0], [1.0, 1.0, 1.0, 2.0]])

    found = advance(
        torch.zeros(2, 4), 1.0, costs=costs, extents=extents, length=torch.tensor([2.75, 1.0]), fraction=0.5
    )

    # Groups of two: (1, 2) then (3, 0) in the first row; half of (0, 1) in the second.
    torch.testing.assert_close(found, torch.tensor([[0.25, 1.0, 1.0, 0.25], [0.5, 0.5, 0.0, 0.0]]))


def test_equal_costs_move_alike_and_what_has_arrived_stays() -> None:
    progress = torch.tensor([[0.5, 0.0, 0.0, 0.0, 0.0]])

    found = advance(
        progress,
        0.5,
        costs=torch.tensor([[0.0, 1.0, 1.0, 1.0, 9.0]]),
        extents=torch.ones(1, 5),
        length=torch.tensor([0.75]),
        fraction=0.01,
    )

    torch.testing.assert_close(found, torch.tensor([[0.5, 0.25, 0.25, 0.25, 0.0]]))

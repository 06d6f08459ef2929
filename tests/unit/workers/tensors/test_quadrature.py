"""Integrals, windows and gaps, each by another road."""

from __future__ import annotations

import pytest
import torch

from workers.tensors.gaps import relative_gaps
from workers.tensors.quadrature import gauss_legendre
from workers.tensors.windows import coverage


@pytest.mark.parametrize("nodes", [2, 5, 16])
def test_polynomials_up_to_twice_the_nodes_are_integrated_exactly(nodes: int) -> None:
    positions, weights = gauss_legendre(nodes, like=torch.zeros((), dtype=torch.float64))

    for degree in range(2 * nodes):
        assert float((weights * positions**degree).sum()) == pytest.approx(1 / (degree + 1))


@pytest.mark.parametrize(
    ("length", "window", "stride", "starts"),
    [(10, 4, 3, [0, 3, 6]), (10, 4, 4, [0, 4, 8]), (10, 20, 7, [0]), (3, 1, 1, [0, 1, 2]), (5, 5, 5, [0])],
)
def test_windows_begin_every_stride_until_the_end_is_covered(
    length: int, window: int, stride: int, starts: list[int]
) -> None:
    covered = coverage(length, window, stride, like=torch.zeros(()))

    assert covered.shape == (length, len(starts))
    for column, start in enumerate(starts):
        assert covered[:, column].nonzero().flatten().tolist() == list(
            range(start, min(start + window, length))
        )
    assert (covered.sum(dim=1) > 0).all()


def test_a_gap_is_relative_to_what_was_promised() -> None:
    gaps = relative_gaps(torch.tensor([1.1, -2.0, 0.0]), torch.tensor([1.0, -4.0, 0.0]))

    torch.testing.assert_close(gaps, torch.tensor([0.1, 0.5, 0.0]))

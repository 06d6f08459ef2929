"""Maps dealt out to a finer grid, and to a coarser one."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from workers.tensors.resampling import spread


@pytest.mark.parametrize("size", [(12, 16), (7, 9), (6, 8), (4, 3), (1, 1)])
def test_the_sum_of_every_cell_stays(size: tuple[int, int]) -> None:
    cells = torch.eye(48, dtype=torch.float64).view(48, 6, 8)

    dealt = spread(cells, size)

    assert dealt.shape == (48, *size)
    torch.testing.assert_close(dealt.sum((1, 2)), torch.ones(48, dtype=torch.float64))


def test_whole_multiples_are_bilinear() -> None:
    maps = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))

    expected = F.interpolate(maps[:, None], size=(12, 10), mode="bilinear")[:, 0] / 8

    torch.testing.assert_close(spread(maps, (12, 10)), expected)

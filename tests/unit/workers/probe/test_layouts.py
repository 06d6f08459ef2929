"""How outputs of layers are read as grids."""

from __future__ import annotations

import pytest
import torch

from workers.probe.layouts import Grids, Layout


@pytest.mark.parametrize(
    ("shape", "input_size", "expected"),
    [
        ((2, 512, 7, 7), (224, 224), Layout("maps", 7, 7)),
        ((2, 7, 7, 7), (224, 224), Layout("maps", 7, 7)),
        ((2, 64, 4, 3), (97, 65), Layout("maps", 4, 3)),
        ((2, 7, 7, 768), (224, 224), Layout("channels-last", 7, 7)),
        ((2, 14, 28, 96), (224, 448), Layout("channels-last", 14, 28)),
        ((2, 196, 192), (224, 224), Layout("tokens", 14, 14)),
        ((2, 197, 192), (224, 224), Layout("tokens", 14, 14, prefix=1)),
        ((2, 198, 192), (224, 224), Layout("tokens", 14, 14, prefix=2)),
        ((2, 201, 192), (224, 224), Layout("tokens", 14, 14, prefix=5)),
        ((2, 1 + 7 * 14, 64), (112, 224), Layout("tokens", 7, 14, prefix=1)),
        ((2, 1 + 14 * 7, 64), (225, 113), Layout("tokens", 14, 7, prefix=1)),
        ((2, 512, 1, 1), (224, 224), None),
        ((2, 1000), (224, 224), None),
        ((2, 0, 4, 4), (224, 224), None),
        ((2, 23, 64), (224, 224), None),
    ],
)
def test_the_grid_follows_from_the_proportions_of_the_input(
    shape: tuple[int, ...], input_size: tuple[int, int], expected: Layout | None
) -> None:
    assert Grids(input_size).read(shape) == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 96, 14, 14), Layout("maps", 14, 14)),
        ((2, 14, 14, 96), Layout("channels-last", 14, 14)),
        ((2, 7, 7, 192), Layout("channels-last", 7, 7)),
        ((2, 32, 28, 28), Layout("maps", 28, 28)),  # of an earlier stage, with its channels
        ((2, 28, 28, 32), Layout("channels-last", 28, 28)),
        ((2, 14 * 14 + 4, 96), Layout("tokens", 14, 14, prefix=4)),
        ((2, 7 * 7, 96), Layout("tokens", 7, 7)),
        ((2, 3, 197, 197), None),  # attention weights of three heads
        ((2, 3, 197, 32), None),  # three heads
        ((2, 64, 64, 64), None),  # the windows of an earlier stage
        ((2, 4, 49, 96), None),  # four windows of 7 x 7
        ((2, 49, 4, 96), None),
        ((2, 4, 28, 28), None),  # as large as an earlier stage, with other channels
        ((2, 225, 96), None),  # more tokens than patches
    ],
)
def test_after_a_grid_comes_the_same_or_a_coarser_one(
    shape: tuple[int, ...], expected: Layout | None
) -> None:
    grids = Grids((224, 224))
    grids.read((2, 32, 28, 28), maps=True)
    grids.read((2, 96, 14, 14), maps=True)

    assert grids.read(shape) == expected


def test_what_can_only_be_maps_may_have_any_proportions() -> None:
    grids = Grids((64, 64))

    assert grids.read((2, 8, 16, 64)) is None
    assert grids.read((2, 8, 16, 64), maps=True) == Layout("maps", 16, 64)
    assert grids.read((2, 5, 16, 64)) == Layout("maps", 16, 64)


def test_rounding_does_not_add_up_over_stages() -> None:
    grids = Grids((197, 251))
    found = [grids.read((2, *grid, 8)) for grid in ((49, 62), (25, 31), (13, 16), (7, 8))]

    assert [layout and (layout.height, layout.width) for layout in found] == [
        (49, 62),
        (25, 31),
        (13, 16),
        (7, 8),
    ]


def test_every_layout_becomes_maps_with_the_same_cells() -> None:
    maps = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    tokens = torch.cat([torch.zeros(2, 1, 3), maps.flatten(2).transpose(1, 2)], dim=1)

    assert torch.equal(Layout("maps", 4, 5).to_maps(maps), maps)
    assert torch.equal(Layout("channels-last", 4, 5).to_maps(maps.permute(0, 2, 3, 1)), maps)
    assert torch.equal(Layout("tokens", 4, 5, prefix=1).to_maps(tokens), maps.float())

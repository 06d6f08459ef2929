"""How outputs of layers are read as grids."""

from __future__ import annotations

import pytest
import torch

from workers.probe.layouts import Layout, infer_layout


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
    assert infer_layout(shape, input_size) == expected


def test_every_layout_becomes_maps_with_the_same_cells() -> None:
    maps = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    tokens = torch.cat([torch.zeros(2, 1, 3), maps.flatten(2).transpose(1, 2)], dim=1)

    assert torch.equal(Layout("maps", 4, 5).to_maps(maps), maps)
    assert torch.equal(Layout("channels-last", 4, 5).to_maps(maps.permute(0, 2, 3, 1)), maps)
    assert torch.equal(Layout("tokens", 4, 5, prefix=1).to_maps(tokens), maps.float())

"""What weights bring into a sum counts as it is added: scaled, subtracted, moved, laid over many places."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.unit.workers.causal.nets import images
from tests.unit.workers.graphs import graph_of, layer_of
from workers.causal.discovery import anatomy
from workers.causal.filters import strongest
from workers.causal.interventions import Interventions
from workers.causal.readings import reading_of
from workers.causal.responses import has_grid, reads
from workers.graph import walk

Together = Callable[[Tensor, nn.Module], Tensor]
EVERY = (0, 1, 2, 3)


class Around(nn.Module):
    """A stem, a convolution, and a sum of both that is said from outside."""

    def __init__(self, together: Together) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.stem, self.conv = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 1, bias=False)
        self.together, self.fc = together, nn.Linear(4, 3)
        self.double().eval().requires_grad_(False)

    def sum(self, images: Tensor) -> Tensor:
        return self.together(self.stem(images).relu(), self.conv)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.sum(images).relu().sum([2, 3]))
        return logits


@pytest.mark.parametrize(
    "together",
    [
        lambda stem, conv: stem + conv(stem),
        lambda stem, conv: stem - conv(stem),
        lambda stem, conv: torch.add(stem, conv(stem), alpha=0.3),
        lambda stem, conv: 0.3 * conv(stem) - stem,
        lambda stem, conv: stem + conv(stem.mean([2, 3], keepdim=True)),
        lambda stem, conv: stem[:, :, 1:, 1:] + 2 * conv(stem)[:, :, :-1, :-1],
    ],
)
def test_of_all_parents_comes_the_whole_sum(together: Together) -> None:
    net = Around(together)
    subject, expected = anatomy(net, images()), net.sum(images())
    [layer] = [name for name in subject.sizes if name.startswith(("add", "sub"))]
    nodes = layer_of(layer, [-2.0, None, -1.0, None])
    reading = reading_of(subject, graph_of(1, [layer_of("stem", [-1.0] * 4), nodes]).excerpt, layer)
    values = walk(subject.graph, images(), keep=reads(subject, reading.pathways))
    wanted = 2 * expected[:, 0] + expected[:, 2]
    torch.testing.assert_close(reading.maps(subject, values), wanted)
    for row, filters in enumerate(strongest(subject, values, reading, 8)):
        singly = [one.of(reading).maps(subject, values)[row] for one in filters]
        torch.testing.assert_close(torch.stack(singly).sum(dim=0), wanted[row])
        for one, own in zip(filters, singly, strict=True):
            assert one.strength == pytest.approx(float(own.abs().mean()))


@pytest.mark.parametrize(
    "together",
    [
        lambda stem, conv: stem - conv(stem),
        lambda stem, conv: torch.add(conv(stem), stem, alpha=0.3),
        lambda stem, conv: stem + conv(stem.mean([2, 3], keepdim=True)),
    ],
)
def test_edges_into_a_node_add_up_to_its_mean(together: Together) -> None:
    net = Around(together)
    subject, expected = anatomy(net, images()), net.sum(images()).mean([0, 2, 3])
    [layer] = [name for name in subject.sizes if name.startswith(("add", "sub"))]
    paths = Interventions(subject, "stem", {layer: EVERY})
    found = torch.zeros(4, dtype=torch.float64)
    for node in EVERY:
        for _, ends, means in paths.brought(paths.meet(images()), node):
            found.index_add_(0, ends, means.double())
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "together",
    [
        lambda stem, conv: (stem.permute(0, 2, 3, 1) + conv(stem).permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
        lambda stem, conv: (stem.flatten(2) + conv(stem).flatten(2)).unflatten(2, (6, 6)),
    ],
)
def test_a_sum_that_is_no_feature_map_is_not_drawn(together: Together) -> None:
    subject = anatomy(Around(together), images())
    assert not has_grid(subject, "add")

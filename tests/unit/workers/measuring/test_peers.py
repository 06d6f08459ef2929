"""Maps that know nothing of the network: chance by the seed, and edges by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.unit.workers.networks import Pooled, seeded
from workers.measuring.peers import EDGES, random_peer
from workers.probe import Probe
from workers.probe.passes import Pass


def probe(images: Tensor, seeds: list[int]) -> Probe:
    return Probe(Pass(seeded(Pooled), images), range(len(images)), [1] * len(images), seeds=seeds)


def test_chance_follows_the_seed_alone_and_is_not_what_the_method_draws() -> None:
    images = torch.rand(3, 3, 8, 10)
    rows = probe(images, [4, 5, 4])
    maps = random_peer((8, 10)).explain(rows).maps
    assert maps.shape == (3, 8, 10)
    assert torch.equal(maps[0], maps[2])
    assert not torch.equal(maps[0], maps[1])
    assert not torch.allclose(maps[0], torch.rand(8, 10, generator=rows.generator(0)))
    assert ((maps >= 0) & (maps <= 1)).all()


def test_chance_is_as_coarse_as_the_map_beside_it() -> None:
    fine, coarse = (
        random_peer(grid).explain(probe(torch.rand(1, 3, 32, 32), [0])).maps for grid in ((32, 32), (4, 4))
    )
    steps = [one.diff(dim=2).abs().mean() for one in (fine, coarse)]
    assert steps[1] < 0.3 * steps[0]


def test_a_step_has_its_edge_where_it_is() -> None:
    image = torch.zeros(1, 3, 6, 8)
    image[..., 4:] = 1
    maps = EDGES.explain(probe(image, [0])).maps
    expected = torch.zeros(6, 8)
    expected[:, 3:5] = 4  # (1 + 2 + 1) times the step
    torch.testing.assert_close(maps[0], expected)


def test_edges_are_those_of_the_grey_picture_whatever_the_units_of_a_colour() -> None:
    picture = torch.rand(1, 3, 6, 8)
    spread = torch.tensor([2.0, 0.5, 4.0])[None, :, None, None]
    shared = Pass(seeded(Pooled), picture * spread, black=torch.zeros(1, 3), white=spread[:, :, 0, 0])
    found = EDGES.explain(Probe(shared, [0], [1])).maps
    plain = Pass(seeded(Pooled), picture, black=torch.zeros(1, 3), white=torch.ones(1, 3))
    torch.testing.assert_close(found, EDGES.explain(Probe(plain, [0], [1])).maps)

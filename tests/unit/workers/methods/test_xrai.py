"""XRAI by other roads: gains by brute force, integrated gradients by the method of that name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import workers
from tests.unit.workers.networks import Smooth, seeded
from workers.declare import Relevance
from workers.methods.xrai import METHOD, XraiParams
from workers.perturbation.regions import regions_of
from workers.probe import Probe
from workers.probe.passes import Pass
from workers.tensors.densest_first import densest_first

TARGETS = [1, 7]


@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_that_of_gains_by_brute_force(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(9, 11))
    masks = random.random((12, 9, 11)) < 0.3
    masks[-1] = ~masks[:-1].any(axis=0)

    found, order = densest_first(torch.from_numpy(values), torch.from_numpy(masks))

    expected, expected_order = by_brute_force(values, masks)
    np.testing.assert_allclose(found, expected)
    assert order == expected_order


def test_it_is_both_integrated_gradients_gathered_in_regions() -> None:
    network, images = seeded(Smooth).double(), pictures()
    black, white = (
        workers.explain(
            network, images, TARGETS, "integrated-gradients", baseline=baseline, nodes=32, max_nodes=32
        )
        for baseline in ("black", "white")
    )

    relevance, regions = explain(images, XraiParams(nodes=32, max_nodes=32))

    for row, masks in enumerate(regions):
        expected, _ = by_brute_force(np.asarray((black + white)[row] / 2), masks)
        np.testing.assert_allclose(relevance.maps[row], expected, rtol=1e-4, atol=1e-9)


def test_its_map_sums_to_what_the_two_ways_promise() -> None:
    images = pictures()
    network = seeded(Smooth).double()
    with torch.no_grad():
        ends = [network(end(images).expand_as(images))[range(2), TARGETS] for end in (darkest, brightest)]
        promised = network(images)[range(2), TARGETS] - (ends[0] + ends[1]) / 2

    relevance, _ = explain(images, XraiParams(tolerance=1e-6))

    torch.testing.assert_close(relevance.maps.sum((1, 2)), promised, rtol=1e-4, atol=1e-6)
    assert relevance.gaps is not None
    assert (relevance.gaps < 1e-4).all()


def test_regions_cover_the_image_and_none_comes_twice() -> None:
    _, regions = explain(pictures(), XraiParams())

    for masks in regions:
        assert masks.any(axis=0).all()
        assert len({mask.tobytes() for mask in masks}) == len(masks)


def test_an_image_of_one_colour_is_one_region() -> None:
    images = torch.full((1, 3, 20, 20), 0.5, dtype=torch.float64)
    probe = Probe(Pass(seeded(Smooth).double(), images), [0], [1])

    assert [len(masks) for masks in regions_of(probe)] == [1]


def explain(images: Tensor, params: XraiParams) -> tuple[Relevance, list[NDArray[np.bool_]]]:
    probe = Probe(Pass(seeded(Smooth).double(), images), range(2), TARGETS)
    return METHOD.explain(probe, params), regions_of(probe)


def pictures() -> Tensor:
    """Smooth, so that there are regions."""
    coarse = torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return torch.nn.functional.interpolate(coarse, size=(40, 48), mode="bicubic")


def darkest(images: Tensor) -> Tensor:
    return images.amin((1, 2, 3), keepdim=True)


def brightest(images: Tensor) -> Tensor:
    return images.amax((1, 2, 3), keepdim=True)


def by_brute_force(
    values: NDArray[np.float64], masks: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], list[int]]:
    """Step by step, every gain anew."""
    covered, found, order = np.zeros(values.shape, dtype=bool), np.zeros(values.shape), list[int]()
    while not covered.all():
        new = [mask & ~covered for mask in masks]
        gains = [values[one].mean() if one.any() else -np.inf for one in new]
        best = int(np.argmax(gains))
        found[new[best]] = gains[best]
        covered |= masks[best]
        order.append(best)
    return found, order

"""RISE by other roads: the closed form of a linear model, sums over the same masks, and its own promise."""

from __future__ import annotations

import torch
from torch import Tensor

from jobs.result import Stop
from tests.unit.workers.networks import Linear, Pooled, seeded
from workers.declare import Relevance
from workers.methods.rise import METHOD, RiseParams
from workers.perturbation.fillings import Canvas
from workers.perturbation.random_grids import RandomGrids
from workers.probe import Probe
from workers.probe.passes import Pass

TARGETS = [1, 7]
KEEP = 0.3
CELLS = 3


def images(count: int, height: int = 8, width: int = 9) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(3))


def rise(probe: Probe, **params: object) -> Relevance:
    with torch.no_grad():
        return METHOD.explain(probe, RiseParams.model_validate({"cells": CELLS, **params}))


def test_on_a_linear_model_its_expectation_is_a_covariance_of_masks() -> None:
    network, some = seeded(lambda: Linear(3, 8, 9)).double(), images(2).double()
    assert isinstance(network, Linear)
    found = rise(Probe(Pass(network, some), [0, 1], TARGETS), max_samples=20_000, keep=KEEP, output="logit")

    shares = (network.weights(TARGETS) * some).sum(dim=1)
    means = KEEP * shares.sum((1, 2)) + network.head.bias.detach()[TARGETS]
    down, across = (second_moments(pixels) for pixels in (8, 9))
    expected = means[:, None, None] + (1 - KEEP) * down @ shares @ across
    assert found.standard_errors is not None
    deviations = (found.maps - expected) / found.standard_errors
    assert deviations.abs().max() < 5
    assert 0.5 < deviations.square().mean() < 2


def test_its_sums_are_those_of_pairs_of_masks() -> None:
    network, some = seeded(Pooled).double(), images(2).double()
    probe = Probe(Pass(network, some), [0, 1, 0], [1, 7, 4], seeds=[5, 6, 5])
    found = rise(probe, max_samples=190, keep=KEEP)

    for row, (image, target) in enumerate([(0, 1), (1, 7), (0, 4)]):
        masks = masks_of(probe, image, 190)  # (2, pairs, H, W)
        with torch.no_grad():
            answers = network(masks.flatten(0, 1)[:, None] * some[image])
        scores = answers.softmax(dim=1)[:, target].view(2, -1)
        pairs = (scores[:, :, None, None] * masks).mean(dim=0)
        plain = pairs.mean(dim=0) / KEEP
        shown = masks.mean((0, 1))
        torch.testing.assert_close(found.maps[row], plain - scores.mean() * (shown - KEEP) / KEEP)
        terms = ((scores - scores.mean())[:, :, None, None] * masks).mean(dim=0) / KEEP
        assert found.standard_errors is not None
        torch.testing.assert_close(found.standard_errors[row], terms.std(dim=0) / terms.shape[0] ** 0.5)


def test_the_standard_error_is_honest() -> None:
    network, runs = seeded(Pooled), 200
    shared = Pass(network, images(1))
    truth = rise(Probe(shared, [0], [1], seeds=[10_000]), max_samples=20 * 256).maps
    found = rise(Probe(shared, [0] * runs, [1] * runs, seeds=range(runs)), max_samples=256)

    assert found.standard_errors is not None
    covered = (found.maps - truth).abs() <= 2 * found.standard_errors
    assert 0.90 <= covered.float().mean() <= 0.99


def test_a_row_stops_by_its_own_error_whoever_is_beside_it() -> None:
    shared = Pass(seeded(Pooled), images(2))
    together = rise(Probe(shared, [0, 1, 0], [1, 7, 4]), max_samples=4000, tolerance=0.05)
    alone = rise(Probe(shared, [1], [7]), max_samples=4000, tolerance=0.05)

    assert together.stops == (Stop.CONVERGED,) * 3
    assert together.samples is not None
    assert alone.samples is not None
    assert len(set(together.samples.tolist())) > 1
    assert together.samples[1] == alone.samples[0] < 4000
    torch.testing.assert_close(together.maps[1:2], alone.maps)


def test_masks_come_in_pairs_whose_mean_is_quiet() -> None:
    probe = Probe(Pass(seeded(Pooled), images(1)), [0], [0])

    whole = masks_of(probe, 0, 64, keep=0.5)
    assert ((whole >= 0) & (whole <= 1)).all()
    torch.testing.assert_close(whole.sum(dim=0), torch.ones_like(whole[0]))
    rare = masks_of(probe, 0, 20_000, keep=0.1)
    assert (rare.mean((0, 1)) - 0.1).abs().max() < 0.01


def masks_of(probe: Probe, image: int, count: int, *, keep: float = KEEP) -> Tensor:
    """(2, pairs, H, W): the masks of an image, as rounds of at most 64 bring them."""
    sampler = RandomGrids(probe, Canvas(probe, "zero"), cells=CELLS, keep=keep)
    chosen, parts = torch.tensor([image]), []
    while count:
        draw = sampler.draw(chosen, torch.tensor([count]))
        parts.append(draw.codes[0])
        count -= int(draw.costs)
    return torch.cat(parts, dim=1)


def second_moments(pixels: int, steps: int = 4000) -> Tensor:
    """(pixels, pixels): the sum over nodes of how much two pixels feel it, on average over the shift."""
    places = (torch.arange(pixels, dtype=torch.float64) + 0.5) * CELLS / pixels
    shifts = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    nodes = torch.arange(CELLS + 2)
    hats = (1 - (places[:, None] + shifts[:, None, None] - nodes).abs()).clamp_min(0)
    return torch.einsum("spn,sqn->pq", hats, hats) / steps

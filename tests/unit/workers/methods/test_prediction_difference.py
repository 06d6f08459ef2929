"""Prediction difference by hand: the formula on stored samples, expectations on models that are known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import workers
from jobs.errors import NotExplainable
from jobs.result import Stop
from tests.unit.workers.networks import Linear, Pooled, seeded
from workers.declare import Relevance
from workers.methods.prediction_difference import METHOD, DifferenceParams
from workers.perturbation.patch_draws import PatchDraws
from workers.probe import Probe
from workers.probe.passes import Pass
from workers.tensors.patch_gaussians import PatchGaussian

TARGETS = [1, 3]
WIDE = (-100.0, 100.0)  # so that nothing is cut off


class TwoClasses(nn.Module):
    """Logits (w x, 0): the log-odds of class 0 are linear in the image."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Linear(size * size, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        scores = self.weight(images.flatten(1))
        return torch.cat([scores, torch.zeros_like(scores)], dim=1)


def gaussian_of(channels: int, side: int, *, spread: float = 1.0) -> PatchGaussian:
    """Any mean, any covariance."""
    random = torch.Generator().manual_seed(3)
    size = channels * side * side
    factor = torch.randn(size, size, generator=random) / size**0.5
    mean = torch.rand(channels, side, side, generator=random)
    return PatchGaussian(mean, spread * (factor @ factor.mT + 0.1 * torch.eye(size)), 100, "drawn here")


def explained(
    network: nn.Module, images: Tensor, params: DifferenceParams, patches: PatchGaussian | None
) -> Relevance:
    black, white = (images.new_full((1, images.shape[1]), value) for value in WIDE)
    shared = Pass(network, images, black=black, white=white, patches=patches)
    return METHOD.explain(Probe(shared, [0, 1], TARGETS, seeds=[5, 6]), params)


@pytest.mark.parametrize("sampling", ["conditional", "marginal"])
@pytest.mark.parametrize(("window", "stride", "margin"), [(4, 2, 1), (3, 3, 2), (5, 4, 1)])
def test_it_is_a_loop_over_windows_with_the_formula_of_the_paper(
    sampling: str, window: int, stride: int, margin: int
) -> None:
    network, images = seeded(Pooled).double(), torch.rand(2, 3, 11, 13).double()
    params = DifferenceParams.model_validate(
        {
            "sampling": sampling,
            "window": window,
            "stride": stride,
            "margin": margin,
            "samples": 3,
            "laplace": 50,
        }
    )
    patches = gaussian_of(3, window + 2 * margin)

    found = explained(network, images, params, patches)

    for row in range(2):
        expected = loop(network, images[row], TARGETS[row], params, patches, seed=5 + row)
        torch.testing.assert_close(found.maps[row], expected, rtol=1e-6, atol=1e-8)


def loop(
    network: nn.Module,
    image: Tensor,
    target: int,
    params: DifferenceParams,
    patches: PatchGaussian,
    *,
    seed: int,
) -> Tensor:
    """(H, W): algorithm 1, window by window, in the order in which the noise is drawn."""
    window, stride, margin = params.window or 0, params.stride or 0, params.margin
    height, width = image.shape[1:]
    side = window + 2 * margin
    places = [
        (top, left)
        for top in range(0, height - window + stride, stride)
        for left in range(0, width - window + stride, stride)
    ]
    random = torch.Generator().manual_seed(seed)
    noise = [torch.randn(len(places), 3, window, window, generator=random) for _ in range(params.samples)]
    evidence, covering = torch.zeros(height, width).double(), torch.zeros(height, width).double()
    for number, (top, left) in enumerate(places):
        bottom, right = min(top + window, height), min(left + window, width)
        up, out = (min(max(one - margin, 0), most - side) for one, most in ((top, height), (left, width)))
        inside = slice(top - up, bottom - up), slice(left - out, right - out)
        law = (patches.given_the_rest if params.sampling == "conditional" else patches.alone)(*inside)
        mean = law.means(image[None, :, up : up + side, out : out + side])[0]
        answers = []
        for drawn in noise:
            changed = image.clone()
            own = drawn[number, :, : bottom - top, : right - left].double().flatten()
            changed[:, top:bottom, left:right] = (mean + law.root @ own).view(3, bottom - top, right - left)
            answers.append(network(changed[None]).softmax(dim=1)[0, target].detach())
        whole = network(image[None]).softmax(dim=1)[0, target].detach()
        lost = log_odds(whole, params.laplace) - log_odds(torch.stack(answers).mean(), params.laplace)
        evidence[top:bottom, left:right] += lost
        covering[top:bottom, left:right] += 1
    return evidence / covering


def log_odds(probability: Tensor, count: int, classes: int = 10) -> Tensor:
    """With Laplace's correction, as the paper writes it."""
    corrected = (probability * count + 1) / (count + classes)
    return torch.log2(corrected / (1 - corrected))


def test_on_a_logistic_model_it_comes_to_the_expectation() -> None:
    """Under a Gaussian w x is Gaussian, so that the mean probability is an integral in one dimension."""
    network, images = TwoClasses(12).double().eval(), torch.rand(2, 1, 12, 12).double()
    network.weight.weight.data *= 4
    patches = gaussian_of(1, 8)
    params = DifferenceParams(window=6, stride=6, margin=1, samples=1000, laplace=10**9)
    black, white = (images.new_full((1, 1), value) for value in WIDE)
    shared = Pass(network, images, black=black, white=white, patches=patches)

    found = METHOD.explain(Probe(shared, [0], [0]), params)

    weights = network.weight.weight.detach().view(12, 12)
    law = patches.given_the_rest(slice(0, 6), slice(0, 6))  # of the upper left window
    own = weights[:6, :6].flatten()
    mean = (weights * images[0, 0]).sum() + own @ (
        law.means(images[:1, :, :8, :8])[0] - images[0, 0, :6, :6].flatten()
    )
    spread = (law.root @ own).norm()
    nodes = torch.linspace(-8, 8, 4001).double()
    density = torch.exp(-nodes.square() / 2) / math.sqrt(2 * math.pi)
    forgotten = torch.trapezoid(density * torch.sigmoid(mean + spread * nodes), nodes)
    whole = torch.sigmoid((weights * images[0, 0]).sum())
    expected = (torch.logit(whole) - torch.logit(forgotten)) / math.log(2)
    assert found.standard_errors is not None
    error = float(found.standard_errors[0, 0, 0])
    assert 0 < error < 0.1
    assert abs(float(found.maps[0, 0, 0] - expected)) < 4 * error


def test_where_the_window_is_what_the_gaussian_says_nothing_is_lost() -> None:
    network, images = seeded(Pooled), torch.full((2, 3, 12, 12), 0.3)
    sure = PatchGaussian(torch.full((3, 8, 8), 0.3), torch.zeros(192, 192), 2, "grey")

    found = explained(network, images, DifferenceParams(window=6, margin=1, samples=2), sure)

    assert found.maps.abs().max() < 1e-4
    assert found.standard_errors is not None
    assert not found.standard_errors.any()


def test_the_standard_error_is_how_far_seeds_lie_apart() -> None:
    network, images = seeded(lambda: Linear(1, 12, 12)), torch.rand(1, 1, 12, 12)
    params = DifferenceParams(window=6, stride=4, margin=1, samples=60)
    black, white = (images.new_full((1, 1), value) for value in WIDE)
    shared = Pass(network, images, black=black, white=white, patches=gaussian_of(1, 8))
    many = METHOD.explain(Probe(shared, [0] * 60, [1] * 60, seeds=range(60)), params)

    apart = many.maps.std(dim=0)
    assert many.standard_errors is not None
    claimed = many.standard_errors.square().mean(dim=0).sqrt()
    ratio = apart / claimed
    assert float(ratio.min()) > 0.7
    assert float(ratio.max()) < 1.4


def test_what_is_drawn_stays_between_black_and_white() -> None:
    images = torch.rand(1, 1, 12, 12)
    shared = Pass(seeded(lambda: Linear(1, 12, 12)), images, black=torch.zeros(1, 1), white=torch.ones(1, 1))
    seen: list[Tensor] = []
    original = PatchDraws._fill

    def watch(self: PatchDraws, image: int) -> Tensor:
        seen.append(original(self, image))
        return seen[-1]

    shared.patches = gaussian_of(1, 8, spread=9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PatchDraws, "_fill", watch)
        METHOD.explain(Probe(shared, [0], [1]), DifferenceParams(window=6, margin=1, samples=2))

    drawn = torch.stack(seen)
    assert drawn.min() == 0
    assert drawn.max() == 1


def test_it_stops_when_exact_enough_and_says_how_many_fillings_that_took() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 24, 24)
    params = DifferenceParams(window=6, stride=3, margin=1, samples=500, tolerance=0.2)

    found = explained(network, images, params, gaussian_of(3, 8))

    assert found.stops == (Stop.CONVERGED,) * 2
    assert found.samples is not None
    assert 2 <= int(found.samples.min()) <= int(found.samples.max()) < 500


def test_details_say_on_what_the_gaussian_was_fitted() -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 12, 14)
    known, own = (
        explained(network, images, DifferenceParams.model_validate(words), gaussian_of(3, 8))
        for words in (
            {"window": 4, "samples": 2},
            {"window": 4, "samples": 2, "source": "image", "margin": 1},
        )
    )

    assert known.details is not None
    assert own.details is not None
    assert known.details[0] == {"window": 4, "patch": 8, "fitted_on": "drawn here", "patches": 100}
    assert own.details[1] == {"window": 4, "patch": 6, "fitted_on": "this image", "patches": 7 * 9}


def test_a_model_without_statistics_is_refused_with_the_command_that_fits_them() -> None:
    with pytest.raises(NotExplainable, match=r"python -m workers\.models\.patches") as refusal:
        workers.explain(seeded(Pooled), torch.rand(1, 3, 12, 12), method="prediction-difference")

    assert refusal.value.problems[0].field == "source"


@pytest.mark.parametrize(
    ("words", "most"), [({"window": 7}, "the model's patches 8"), ({"window": 11, "source": "image"}, "12")]
)
def test_a_window_needs_room_for_its_margins(
    words: dict[str, Any],  # Any: parameters of the method
    most: str,
) -> None:
    with pytest.raises(NotExplainable, match=most) as refusal:
        workers.explain(
            seeded(Pooled),
            torch.rand(1, 3, 12, 12),
            method="prediction-difference",
            patches=gaussian_of(3, 8),
            **words,
        )

    assert refusal.value.problems[0].field == "window"


def test_without_a_size_the_window_leaves_room_in_the_models_patches() -> None:
    found = explained(
        seeded(Pooled), torch.rand(2, 3, 80, 80), DifferenceParams(samples=2), gaussian_of(3, 8)
    )

    assert found.details is not None
    assert found.details[0]["window"] == 4
    assert found.native_grid == (39, 39)


def test_rows_of_one_image_share_the_forwards_and_seeds_differ() -> None:
    images = torch.rand(1, 3, 12, 12)
    shared = Pass(seeded(Pooled), images, patches=replace(gaussian_of(3, 8), words="these"))
    params = DifferenceParams(window=6, stride=3, margin=1, samples=2)
    both = METHOD.explain(Probe(shared, [0, 0, 0], [1, 3, 1], seeds=[0, 0, 7]), params)
    alone = METHOD.explain(Probe(shared, [0], [3], seeds=[0]), params)

    torch.testing.assert_close(both.maps[1], alone.maps[0])
    assert not torch.equal(both.maps[0], both.maps[2])

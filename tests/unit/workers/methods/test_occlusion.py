"""Occlusion by other roads: a loop over windows, the closed form of a linear model, captum."""

from __future__ import annotations

import pytest
import torch
from captum.attr import Occlusion
from pydantic import ValidationError
from torch import Tensor, nn

import workers
from tests.unit.workers.networks import Linear, Pooled, resnet18, seeded
from workers.methods.occlusion import METHOD, OcclusionParams
from workers.perturbation.fillings import make_filling
from workers.probe import Probe
from workers.probe.passes import Pass
from workers.tensors.windows import Windows

TARGETS = [1, 7]


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize(("window", "stride"), [(4, 4), (5, 3), (7, 7), (40, 9), (1, 1)])
def test_it_is_a_loop_over_windows(window: int, stride: int, output: str) -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 11, 13)

    maps = workers.explain(network, images, TARGETS, "occlusion", window=window, stride=stride, output=output)

    torch.testing.assert_close(maps, loop(network, images, window, stride, output))


def test_on_a_linear_model_single_pixels_lose_weight_times_value() -> None:
    network, images = seeded(lambda: Linear(3, 5, 6)), torch.rand(2, 3, 5, 6)
    weights = network.weights(TARGETS) if isinstance(network, Linear) else torch.empty(0)

    maps = workers.explain(network, images, TARGETS, "occlusion", window=1, stride=1)

    torch.testing.assert_close(maps, (weights * images).sum(dim=1))


@pytest.mark.parametrize(("window", "stride"), [(16, 8), (20, 20)])
def test_it_agrees_with_captum(window: int, stride: int) -> None:
    network, images = resnet18(), torch.randn(2, 3, 48, 56)
    expected = (
        Occlusion(network)
        .attribute(
            images,
            (3, window, window),
            strides=(3, stride, stride),
            target=torch.tensor(TARGETS),
            perturbations_per_eval=8,
        )[:, 0]
        .float()
        .detach()
    )

    maps = workers.explain(network, images, TARGETS, "occlusion", window=window, stride=stride)

    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_without_sizes_the_window_is_an_eighth_of_the_shorter_side_and_overlaps_by_half() -> None:
    probe = Probe(Pass(seeded(Pooled), torch.rand(1, 3, 32, 48)), [0], [0])

    assert METHOD.explain(probe, OcclusionParams()).native_grid == (15, 23)
    assert METHOD.explain(probe, OcclusionParams(window=8)).native_grid == (7, 11)
    assert METHOD.explain(probe, OcclusionParams(stride=16)).native_grid == (2, 3)


@pytest.mark.parametrize("baseline", ["zero", "black", "white", "mean", "blur", "noise", "#804020"])
def test_in_a_window_stands_exactly_what_the_baseline_says(baseline: str) -> None:
    network, images = seeded(Pooled), torch.rand(2, 3, 11, 13)
    params = OcclusionParams.model_validate({"window": 4, "stride": 3, "baseline": baseline})
    probe = Probe(Pass(network, images), [0, 1], TARGETS, seeds=[3, 4])
    windows = Windows.over(images, params)
    covered = windows.masks(torch.arange(len(windows)))[:, None, None]
    shown = torch.where(covered, make_filling(probe, params.baseline), images)  # (windows, 2, C, H, W)
    with torch.no_grad():
        answers = network(shown.flatten(0, 1)).view(len(windows), 2, -1)[:, [0, 1], TARGETS]
        whole = network(images)[[0, 1], TARGETS]

    maps = METHOD.explain(probe, params).maps

    torch.testing.assert_close(maps, windows.average((whole - answers).T), rtol=1e-4, atol=1e-7)


def test_an_inpainted_window_of_a_plain_image_takes_nothing_away() -> None:
    plain = torch.rand(2, 3, 1, 1).expand(2, 3, 12, 12).clone()
    whole, inpainted = (
        workers.explain(seeded(Pooled), plain, TARGETS, "occlusion", window=4, baseline=baseline)
        for baseline in ("zero", "inpainted")
    )

    assert inpainted.abs().max() < 1e-5 * whole.abs().max()


def test_windows_that_leave_gaps_are_refused() -> None:
    with pytest.raises(ValidationError, match="stride must be at most window"):
        OcclusionParams(window=4, stride=5)


def loop(network: nn.Module, images: Tensor, window: int, stride: int, output: str) -> Tensor:
    """Window by window and row by row."""

    def ask(one: Tensor, target: int) -> float:
        with torch.no_grad():
            answer = network(one.unsqueeze(0))[0]
        return float((answer.softmax(dim=0) if output == "probability" else answer)[target])

    _, _, height, width = images.shape
    total, count = torch.zeros(len(images), height, width), torch.zeros(height, width)
    top = 0
    while True:
        left = 0
        while True:
            part = (slice(top, top + window), slice(left, left + window))
            count[part] += 1
            for row, image in enumerate(images):
                covered = image.clone()
                covered[(slice(None), *part)] = 0
                total[(row, *part)] += ask(image, TARGETS[row]) - ask(covered, TARGETS[row])
            if left + window >= width:
                break
            left += stride
        if top + window >= height:
            return total / count
        top += stride

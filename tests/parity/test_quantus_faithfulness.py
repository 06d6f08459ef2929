"""Metrics of faithfulness and completeness beside Quantus, on the same changed images, and where it errs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tests.parity.quantus_side import (
    SUBJECTS,
    Given,
    Subject,
    assert_close,
    in_turn,
    quantus,
    say,
    subject,
    tensor,
    untied,
)
from tests.unit.workers.networks import Linear
from workers.metrics import infidelity
from workers.perturbation.segments import Segments

pytestmark = pytest.mark.filterwarnings("ignore:The combination of the value of the passed softmax")

METHODS = ["saliency", "input-x-gradient"]
on_every_subject = pytest.mark.parametrize("name", SUBJECTS)
of_methods = pytest.mark.parametrize("method", METHODS)
SIZES = {"pooled": 2, "phantom-resnet": 16, "phantom-vit": 16}  # of regions
BLOCKS = {"pooled": 2, "phantom-resnet": 32, "phantom-vit": 32}
PROBABILITY, LOGIT = {"softmax": True}, {"softmax": False}


def curves(found: Any) -> Tensor:  # Any: a measure
    return torch.tensor([detail["curve"] for detail in found.details], dtype=torch.float64)


def flipped(judged: Subject, maps: Tensor, steps: int) -> Tensor:
    """(N, steps): the probabilities while the pixels become zero, the largest of the maps first."""
    values = maps[0].numel() // steps * judged.images.shape[1]  # Quantus counts each colour of a pixel
    told = say("PixelFlipping", judged, maps, PROBABILITY, features_in_step=values, perturb_baseline=0.0)
    return tensor(told)[:, :steps]


@of_methods
@on_every_subject
def test_deletion_and_insertion_have_the_curves_of_flipped_pixels(name: str, method: str) -> None:
    """What is left when the least relevant pixels go is what there is when the most relevant come."""
    judged, steps = subject(name), 12
    maps = untied(judged.maps(method))
    turned = maps.amax() - maps
    deletion, insertion = (
        judged.measure(metric, maps, steps=steps, filling="zero") for metric in ("deletion", "insertion")
    )
    whole = curves(deletion)[:, :1]

    down = torch.cat([whole, flipped(judged, maps, steps)], dim=1)
    up = torch.cat([whole, flipped(judged, turned, steps)], dim=1).flip(1)
    for found, expected in ((deletion, down), (insertion, up)):
        assert_close(curves(found), expected)
        assert_close(found.values, torch.trapezoid(expected, dx=1 / steps, dim=1))


@of_methods
@on_every_subject
def test_pixel_flipping_has_the_falls_of_perturbed_regions(name: str, method: str) -> None:
    judged, size = subject(name), SIZES[name]
    maps = untied(judged.maps(method))
    regions = maps[0].numel() // size**2 // 2

    params = {"size": size, "share": 0.5, "steps": regions, "filling": "zero"}
    for output, call in {"probability": PROBABILITY, "logit": LOGIT}.items():
        found = judged.measure("pixel-flipping", maps, output=output, **params)
        falls = say(
            "RegionPerturbation",
            judged,
            maps,
            call,
            patch_size=size,
            regions_evaluation=regions,
            perturb_baseline=0.0,
        )
        assert_close(found.values, tensor(falls).sum(dim=1) / (regions + 1))


def test_quantus_flips_a_third_of_a_pixel_and_each_colour_takes_a_step() -> None:
    """Its steps must divide the number of pixels, but count values: of four, one is a second pixel's."""
    network = Linear(3, 4, 4).eval()
    with torch.no_grad():
        network.head.weight.fill_(1.0)
        network.head.bias.zero_()
    nothing = torch.zeros(1, 4, 4, dtype=torch.bool)
    judged = Subject(network, torch.ones(1, 3, 4, 4), [0], nothing)
    maps = torch.arange(16.0).view(1, 4, 4)

    theirs = say("PixelFlipping", judged, maps, LOGIT, features_in_step=4, perturb_baseline=0.0)
    found = judged.measure("pixel-flipping", maps, size=1, share=1.0, steps=4, filling="zero", output="logit")

    assert theirs == [[48 - 4 * step for step in range(1, 13)]]
    assert curves(found).tolist() == [[48, 36, 24, 12, 0]]


def test_the_area_of_quantus_needs_a_function_that_numpy_no_longer_has() -> None:
    judged = subject("pooled")
    with pytest.raises(AttributeError, match="trapz"):
        say("PixelFlipping", judged, judged.maps(), features_in_step=84, return_auc_per_sample=True)
    with pytest.raises(AttributeError, match="trapz"):
        quantus.IROF(disable_warnings=True, perturb_func=lambda arr, mask, **_: np.where(mask, 0.0, arr))(
            judged.network, judged.images.numpy(), np.array(judged.targets), judged.maps().numpy()
        )


@pytest.fixture
def trapezoid(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function by its old name, for Quantus."""
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)


def segmented(monkeypatch: pytest.MonkeyPatch, judged: Subject, maps: Tensor, **given: Any) -> Tensor:
    """IROF by Quantus on a grid of twelve, without the mean over images; `given` makes the metric."""
    labels: list[NDArray[np.int64]] = []
    cut = Segments.of

    def noted(*given: Any) -> Segments:  # Any: handed on
        found = cut(*given)
        labels[:] = found.labels.numpy()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Segments, "of", noted)
        judged.measure("irof", maps, segmentation="grid", segments=12, steps=12)
        shared = iter(labels)
        patch.setattr("quantus.helpers.utils.get_superpixel_segments", lambda **_: next(shared))
        found = say("IROF", judged, maps, PROBABILITY, return_aggregate=False, **given)
    return tensor(found)


@of_methods
@on_every_subject
def test_irof_agrees_but_for_the_first_step_which_quantus_leaves_out(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch, trapezoid: None
) -> None:
    """It adds n - 1 trapezoids, between the n images that lack a segment, and takes them from n."""
    judged = subject(name)
    maps = judged.maps(method)
    colours = judged.images.mean((2, 3), keepdim=True).numpy()

    found = judged.measure("irof", maps, segmentation="grid", segments=12, steps=12, filling="mean")
    theirs = segmented(
        monkeypatch, judged, maps, perturb_func=lambda arr, mask, **_: np.where(mask, colours, arr)
    )

    curve = curves(found)
    left_out = (1 + curve[:, 1] / curve[:, 0]) / 2
    assert_close(12 * found.values, theirs - left_out)


def test_in_quantus_irof_of_an_answer_that_never_changes_is_a_whole_segment(
    monkeypatch: pytest.MonkeyPatch, trapezoid: None
) -> None:
    pooled = subject("pooled")
    network = Linear(3, 12, 14).eval()
    nn.init.zeros_(network.head.weight)
    judged = Subject(network, pooled.images, pooled.targets, pooled.masks)
    maps = pooled.maps()

    theirs = segmented(
        monkeypatch, judged, maps, perturb_func=lambda arr, mask, **_: np.where(mask, 0.0, arr)
    )
    found = judged.measure("irof", maps, segmentation="grid", segments=12, steps=12)

    assert theirs.tolist() == pytest.approx([1, 1, 1])
    assert found.values.tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_irof_of_quantus_takes_no_colours(monkeypatch: pytest.MonkeyPatch, trapezoid: None) -> None:
    judged = subject("pooled")
    with pytest.raises(AssertionError, match="same as the mask shape"):
        segmented(monkeypatch, judged, judged.maps())


@of_methods
@on_every_subject
def test_infidelity_agrees_on_the_same_squares(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quantus weighs the removed values with the map; it gets the map by the image, times our factor."""
    judged, block = subject(name), BLOCKS[name]
    maps = judged.maps(method)
    samples = maps[0].numel() // block**2  # Quantus calls once for each block
    drawn: list[Tensor] = []
    draw = infidelity.draw_squares

    def noted(*given: Any) -> Tensor:  # Any: handed on
        drawn.append(draw(*given))
        return drawn[-1]

    monkeypatch.setattr(infidelity, "draw_squares", noted)
    found = judged.measure("infidelity", maps, samples=samples)
    assert found.details is not None
    hidden = infidelity.inside(drawn[0], (maps.shape[1], maps.shape[2])).unsqueeze(2)
    without = judged.images.unsqueeze(1) * ~hidden  # (N, samples, C, H, W)

    factors = torch.tensor([detail["beta"] for detail in found.details])[:, None, None, None]
    weights = factors * maps.unsqueeze(1) / judged.images / judged.images.shape[1]
    blocks: Given = {"n_perturb_samples": 1, "perturb_patch_sizes": [block]}
    theirs = say("Infidelity", judged, weights, perturb_func=in_turn(without), **blocks)
    assert_close(found.values, tensor(theirs))


def test_infidelity_of_quantus_takes_no_image_that_its_blocks_do_not_fill() -> None:
    judged = subject("pooled")
    with pytest.raises(ValueError, match="cannot reshape"):
        say("Infidelity", judged, judged.maps(), perturb_patch_sizes=[4])
    assert judged.measure("infidelity", judged.maps()).values.isfinite().all()


class Product(nn.Module):
    """The mean of the left half times the mean of the right half; another class has nothing."""

    def forward(self, images: Tensor) -> Tensor:
        halves = [half.mean((1, 2, 3)) for half in images.chunk(2, dim=3)]
        return torch.stack([halves[0] * halves[1], torch.zeros_like(halves[0])], dim=1)


def test_quantus_removes_the_second_block_while_the_first_is_still_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Either half alone takes all: a map that says so of both is exact, which Quantus does not see."""
    judged = Subject(Product().eval(), torch.ones(1, 1, 4, 8), [0], torch.zeros(1, 4, 8, dtype=torch.bool))
    maps = torch.full((1, 4, 8), 1 / 16)
    maps[0, 0, 0] += 1e-7  # Quantus refuses a constant map
    halves = torch.tensor([[[0, 0, 4], [0, 4, 4]]])
    monkeypatch.setattr(infidelity, "draw_squares", lambda *_: halves)

    theirs = say("Infidelity", judged, maps, n_perturb_samples=1, perturb_baseline=0.0)
    found = judged.measure("infidelity", maps, samples=2)

    assert float(tensor(theirs)) == pytest.approx(0.5, abs=1e-5)
    assert float(found.values) == pytest.approx(0, abs=1e-9)


def test_completeness_of_quantus_sees_an_exact_map_only_of_whole_numbers() -> None:
    whole = Linear(1, 4, 4).eval()
    with torch.no_grad():
        whole.head.weight.copy_(torch.arange(160.0).view(10, 16) % 7 - 3)
    images = torch.arange(32.0).view(2, 1, 4, 4)
    judged = Subject(whole, images, [1, 2], torch.zeros(2, 4, 4, dtype=torch.bool))
    exact = (whole.weights([1, 2]) * images).sum(dim=1)

    def both(maps: Tensor, one: Subject, **given: Any) -> tuple[list[bool], list[float]]:
        theirs = say("Completeness", one, maps, perturb_baseline=0.0, **given)
        return list(theirs), one.measure("completeness", maps).values.tolist()

    with torch.no_grad():
        whole.head.bias.zero_()
    assert both(exact, judged) == ([True, True], [0, 0])
    assert both(2 * exact, judged) == ([False, False], [1, 1])
    assert both(exact, judged, normalise=True) == ([False, False], [0, 0])  # as it is by default

    with torch.no_grad():
        whole.head.weight.mul_(0.1)
    theirs, found = both((whole.weights([1, 2]) * images).sum(dim=1), judged)
    assert not all(theirs)
    assert found == pytest.approx([0, 0], abs=1e-6)

"""Prediction difference analysis: the evidence that is lost when a window is forgotten, not covered."""

from __future__ import annotations

from math import log
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from jobs.errors import NotExplainable
from jobs.result import Stop
from workers.declare import Method, Relevance
from workers.perturbation.accuracy import inaccuracy
from workers.perturbation.patch_draws import PatchDraws, Places
from workers.perturbation.sampling import Draw, SamplingParams, StopParams, sample
from workers.probe import Probe
from workers.tensors.moments import Moments
from workers.tensors.patch_gaussians import PatchGaussian, PatchSums, patches_of
from workers.tensors.windows import WindowParams, Windows

USUAL_WINDOW = 10  # of the paper, on ImageNet
MOST_PATCHES = 20_000  # of one image
FIT = "python -m workers.models.patches --model-folder FOLDER --images IMAGES"


class DifferenceParams(WindowParams, StopParams):
    """The window, what is drawn in it, how often, and from where that is known."""

    window: int | None = Field(
        None,
        ge=1,
        le=16,
        description="Side of the square window in pixels of the model's input; none means 10, or an eighth "
        "of the input's shorter side if that is less, or what the model's patches leave room for.",
    )
    stride: int | None = Field(
        None,
        ge=1,
        le=16,
        description="Pixels between neighbouring windows, at most `window`; none means half a window, while "
        "the paper moves by one pixel.",
    )
    margin: int = Field(
        2, ge=1, le=8, description="Pixels on every side of a window from which its content is guessed."
    )
    source: Literal["model", "image"] = Field(
        "model",
        description="Whether patches are known from the images of which statistics come with the `model`, or "
        "from this `image` itself, for models without any.",
    )
    sampling: Literal["conditional", "marginal"] = Field(
        "conditional",
        description="Whether what stands in a window is drawn given what stands around it, or whatever does.",
    )
    samples: int = Field(10, ge=2, le=1000, description="Fillings that are drawn for each window at most.")
    laplace: int = Field(
        10_000,
        ge=1,
        le=1_000_000_000,
        description="N of Laplace's correction (p N + 1) / (N + K) of a probability among K classes, in the "
        "paper the number of images that the model has learned from: how sure a sure model is taken to be.",
    )


def explain(probe: Probe, params: DifferenceParams) -> Relevance:
    """How much evidence for the class is lost by not knowing a window w of k x k pixels.

    p(c|x without w) = mean over samples of p(c|x with w drawn from its distribution)            (eq. 1)
    The distribution is a Gaussian given the patch of l x l pixels around it (eq. 4), or marginal (eq. 2).
    WE_w(c|x) = log2 odds(c|x) - log2 odds(c|x without w), with Laplace's correction             (eq. 3)
    R_ij = mean of WE_w over the windows that cover pixel ij                                (algorithm 1)
    Zintgraf et al.: Visualizing Deep Neural Network Decisions, 2017, arXiv:1702.04595.
    """
    places, gaussians = _prepare(probe, params)
    windows = Windows.over(probe.images, WindowParams(window=places.window, stride=places.stride))
    evidence = _Evidence(probe, windows, params.laplace)
    draws = PatchDraws(probe, gaussians, places, conditional=params.sampling == "conditional")

    def describe(samples: Tensor, stops: tuple[Stop | None, ...]) -> Relevance:
        words = [gaussians[image % len(gaussians)] for image in probe.image_of_row.tolist()]
        return Relevance(
            maps=evidence.maps(),
            native_grid=windows.grid,
            samples=samples // len(windows),
            stops=stops,
            standard_errors=evidence.standard_errors() if samples.min() >= 2 * len(windows) else None,
            details=tuple(
                {
                    "window": places.window,
                    "patch": places.side,
                    "fitted_on": one.words,
                    "patches": one.patches,
                }
                for one in words
            ),
        )

    limits = SamplingParams.model_construct(
        max_samples=params.samples * len(windows),
        tolerance=params.tolerance,
        max_seconds=params.max_seconds,
    )
    return sample(probe, limits, draws, evidence, describe, output="probability")


class _Evidence:
    """What is known of p(c|x without w) of every window, and what follows from it."""

    def __init__(self, probe: Probe, windows: Windows, laplace: int) -> None:
        whole = probe.scores(lambda chosen, _: probe.images[chosen, None], 1, output="probability")
        self._windows, self._laplace, self._others = windows, laplace, max(1, probe.logits.shape[1] - 1)
        self._whole = whole * laplace
        self._moments = Moments(probe.images.new_zeros(len(probe), len(windows)))
        self._rounds = torch.zeros(len(probe), device=whole.device)

    def add(self, rows: Tensor, _places: Tensor, _draw: Draw, answers: Tensor) -> None:
        """One probability more of each window."""
        self._moments.add(rows, answers.unsqueeze(1))
        self._rounds[rows] += 1

    def maps(self) -> Tensor:
        """(R, H, W), in bits: the two log-odds are taken from each other before their logarithms are."""
        means = self._moments.means() * self._laplace
        difference = self._whole - means
        pro = torch.log1p(difference / (means + 1))
        contra = torch.log1p(-difference / (self._laplace - means + self._others))
        return self._windows.average((pro - contra) / log(2))

    def standard_errors(self) -> Tensor:
        """(R, H, W): of the mean probabilities, by the slope of the log-odds there."""
        means = self._moments.means() * self._laplace
        slopes = 1 / (means + 1) + 1 / (self._laplace - means + self._others)
        errors = (self._moments.variances() / self._rounds[:, None]).sqrt() * self._laplace
        return self._windows.average_errors(slopes / log(2) * errors)

    def inaccuracies(self, rows: Tensor) -> Tensor:
        """(r,): the standard error (root mean square) as a share of the map's range."""
        return inaccuracy(self.maps()[rows], self.standard_errors()[rows])


def _prepare(probe: Probe, params: DifferenceParams) -> tuple[Places, list[PatchGaussian]]:
    """Where the windows lie, and what is known of their patches: of all images, or of each."""
    known = probe.patches if params.source == "model" else None
    if params.source == "model" and known is None:
        raise _refused(
            "source",
            f"no statistics of patches come with this model: fit them with `{FIT}`, or set source to `image`",
        )
    shorter = min(probe.input_size)
    most = shorter if known is None else min(shorter, known.side)
    usual = min(USUAL_WINDOW, shorter // 8, most - 2 * params.margin)
    window = params.window or max(1, params.stride or 1, usual)
    stride = params.stride or max(1, window // 2)
    grid = tuple(1 + max(0, -(-(length - window) // stride)) for length in probe.input_size)
    places = Places((grid[0], grid[1]), window, stride, params.margin)
    if places.side > most:
        where = "the image" if known is None else "the model's patches"
        raise _refused("window", f"a window with its margins has {places.side} pixels a side, {where} {most}")
    if known is not None:
        return places, [known.cropped(places.side)]
    return places, [_fit(image, places.side) for image in probe.images]


def _fit(image: Tensor, side: int) -> PatchGaussian:
    """The Gaussian of an image's own patches."""
    step = 1
    while (image.shape[1] - side) // step * ((image.shape[2] - side) // step) > MOST_PATCHES:
        step += 1
    sums = PatchSums(len(image), side)
    sums.add(patches_of(image.unsqueeze(0), side, step))
    return sums.gaussian("this image")


def _refused(field: str, message: str) -> NotExplainable:
    return NotExplainable.about(field, message)


METHOD = Method(
    name="prediction-difference",
    title="Prediction difference analysis",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=19_360,
    scales_with="samples",
    requires="Statistics of patches beside the model, or `source` set to `image`; else any network.",
    summary="The evidence for the class, in bits, that is lost by not knowing what stands in a window.",
    weaknesses=(
        "One forward pass for each filling of each window: dear.",
        "A Gaussian knows how patches look, not what they show: what is drawn is texture.",
        "What other windows also show is not missed: two findings of one class hide each other.",
    ),
    reference="Zintgraf et al. 2017, arXiv:1702.04595",
    params=DifferenceParams,
    explain=explain,
)

"""Kernel SHAP: Shapley values of segments by a weighted linear fit."""

from __future__ import annotations

import torch

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.perturbation.coalitions import Coalitions, by_shapley_kernel
from workers.perturbation.least_squares import LeastSquares, constrained
from workers.perturbation.sampling import Sampler
from workers.perturbation.segment_canvas import SegmentCanvas
from workers.perturbation.shapley import Ends, Estimate, ShapleyParams, shapley_values
from workers.probe import Probe


class KernelShapParams(ShapleyParams):
    """The segments, what hides them, and how many coalitions of them are shown."""


def explain(probe: Probe, params: KernelShapParams) -> Relevance:
    """The fair share of each segment in the difference between the image and the image with all hidden.

    phi of the least  sum_z pi(z) (v(z) - v(0) - z phi)^2  with  sum_i phi_i = v(1) - v(0)   (theorem 2)
    pi(z) = (P - 1) / (C(P, |z|) |z| (P - |z|)), v(z) the score with the segments z shown.
    Sizes |z| are drawn by their share of pi, the segments evenly, and each z is followed by 1 - z. All 2^P
    coalitions are taken where they are few. Lundberg, Lee: A Unified Approach to Interpreting Model
    Predictions, 2017, arXiv:1705.07874.
    """
    return shapley_values(probe, params, by_least_squares)


def by_least_squares(probe: Probe, stage: SegmentCanvas, ends: Ends) -> tuple[Sampler, Estimate]:
    """Coalitions by the Shapley kernel; efficiency is a constraint of the fit."""
    promised, counts = ends.promised.cpu().double(), stage.counts_of(probe.image_of_row).tolist()
    fit = LeastSquares(
        probe,
        stage,
        ends.hidden,
        weigh=lambda shown, _: torch.ones_like(shown),  # they are drawn by their weight
        solve=lambda sums, row: constrained(sums, promised[row], counts[row]),
    )
    return Coalitions(probe, stage, by_shapley_kernel), fit


METHOD = Method(
    name="kernel-shap",
    title="Kernel SHAP",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=2000,
    scales_with="max_samples",
    requires="Any network: only its answers are read.",
    summary="Shapley values of segments by a weighted linear fit; they sum to what hiding everything costs.",
    weaknesses=(
        "Most of its images are unlike anything that the network has seen.",
        "Other segments or another baseline give another map.",
        "Where segments interact, a share says that they do, not with whom.",
    ),
    reference="Lundberg and Lee 2017, arXiv:1705.07874",
    params=KernelShapParams,
    explain=explain,
)

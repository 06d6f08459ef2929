"""Shapley sampling: what each segment adds to the score when it appears, over random orders."""

from __future__ import annotations

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.perturbation.permutations import MarginalMoments, Permutations
from workers.perturbation.sampling import Sampler
from workers.perturbation.segment_canvas import SegmentCanvas
from workers.perturbation.shapley import Ends, Estimate, ShapleyParams, shapley_values
from workers.probe import Probe


class ShapleySamplingParams(ShapleyParams):
    """The segments, what hides them, and how many images are shown."""


def explain(probe: Probe, params: ShapleySamplingParams) -> Relevance:
    """The fair share of each segment in the difference between the image and the image with all hidden.

    phi_i = mean over orders O of  v(Pre_i(O) and i) - v(Pre_i(O)),  Pre_i(O) what comes before i   (eq. 13)
    v(z) is the score with the segments z shown. Orders are drawn evenly, each is followed by its reverse, and
    the mean over such a pair is one sample of the mean. All 2^P coalitions are taken where they are few.
    Strumbelj, Kononenko: An Efficient Explanation of Individual Classifications using Game Theory, 2010,
    JMLR 11, algorithm 1.
    """
    return shapley_values(probe, params, by_orders)


def by_orders(probe: Probe, stage: SegmentCanvas, ends: Ends) -> tuple[Sampler, Estimate]:
    """Efficiency holds in every order."""
    return Permutations(probe, stage), MarginalMoments(probe, stage, ends)


METHOD = Method(
    name="shapley-sampling",
    title="Shapley sampling",
    version=1,
    family=Family.PERTURBATION,
    needs=frozenset({Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=2000,
    scales_with="max_samples",
    requires="Any network: only its answers are read.",
    summary="Shapley values of segments over random orders; they sum to what hiding everything costs.",
    weaknesses=(
        "A pair of orders takes twice as many samples as there are segments; few pairs leave noise.",
        "Most of its images are unlike anything that the network has seen.",
        "Other segments or another baseline give another map.",
    ),
    reference="Strumbelj and Kononenko 2010, JMLR 11",
    params=ShapleySamplingParams,
    explain=explain,
)

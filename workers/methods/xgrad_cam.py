"""XGrad-CAM: Grad-CAM whose average over the grid is weighted by the features themselves."""

from __future__ import annotations

from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.tensors.activation_maps import CamParams, finish, weigh

LEAST_SHARE = 0.01  # below it a sum of features counts as cancelled


def explain(probe: Probe, params: CamParams) -> Relevance:
    """Where the features lie that speak for the class, so that the map sums to what they add to the score.

    w_k = sum over ij of (A_kij / sum over ab of A_kab) dS_t / dA_kij
    L = ReLU(sum over k of w_k A_k), then bilinear to the input's size.
    It follows from two axioms, sensitivity and conservation: before the ReLU, L sums over its grid to the
    sum of A dS_t/dA. Features of both signs can cancel in the denominator; `_weights` says what is done.
    Fu et al.: Axiom-based Grad-CAM, 2020, arXiv:2008.02312, section 3.
    """
    layer = probe.layer(params.layer)
    activations = probe.activations(layer)
    cams = weigh(_weights(activations, probe.gradients(layer)), activations)
    return finish(cams, layer=layer.path, size=probe.input_size, relu=params.relu)


def _weights(activations: Tensor, gradients: Tensor) -> Tensor:
    """(R, C): p / s, with p the sum of A G, s the sum of A and m the sum of |A| over the grid, as

        p s / (s^2 + share^2 (m^2 - s^2)).

    That is p / s where all features have one sign, for then m is |s|; it stays near it while |s| is well
    above share * m, and goes to zero as the features cancel, instead of to infinity.
    """
    products = (activations * gradients).sum(dim=(2, 3))
    sums, magnitudes = activations.sum(dim=(2, 3)), activations.abs().sum(dim=(2, 3))
    cancelled = (magnitudes.square() - sums.square()).clamp_min(0)
    denominators = sums.square() + LEAST_SHARE**2 * cancelled
    return (products * sums / denominators).where(denominators > 0, 0)


METHOD = Method(
    name="xgrad-cam",
    title="XGrad-CAM",
    version=1,
    family=Family.CAM,
    needs=frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=3,
    requires="A layer whose output keeps a grid and still matters to the answer; best after a ReLU.",
    summary="Grad-CAM with gradients averaged where the features are, so that the map keeps their sum.",
    weaknesses=(
        "No finer than the grid of its layer.",
        "Where features of both signs cancel, their channel is left out.",
    ),
    reference="Fu et al. 2020, arXiv:2008.02312",
    params=CamParams,
    explain=explain,
)

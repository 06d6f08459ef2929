"""captum with its fastest settings: a frozen network, and as many inputs in one forward as ours takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from captum.attr import (
    Deconvolution,
    DeepLift,
    DeepLiftShap,
    GradientShap,
    GuidedBackprop,
    GuidedGradCam,
    InputXGradient,
    IntegratedGradients,
    LayerGradCam,
    NoiseTunnel,
    Occlusion,
    Saliency,
)
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.methods.networks import BATCH, Subject, for_peers
from benchmarks.methods.ours import CHUNK_ROWS
from benchmarks.methods.peers import Peer, Run

LIBRARY = "captum"
Call = Callable[[Tensor, Tensor], Tensor]  # pictures that ask for gradients, targets -> (N, C, H, W)


def saliency() -> Peer:
    """Its maximum over channels is ours."""
    return peer_of(lambda net, _: _by_target(Saliency(net)), reduce=lambda maps: maps.amax(1))


def input_x_gradient() -> Peer:
    """Summed over channels."""
    return peer_of(lambda net, _: _by_target(InputXGradient(net)))


def integrated_gradients(nodes: int) -> Peer:
    """By the same quadrature."""

    def make(network: nn.Module, _: Subject) -> Call:
        explainer = IntegratedGradients(network)
        return lambda images, targets: explainer.attribute(
            images,
            target=targets,
            n_steps=nodes,
            method="gausslegendre",
            internal_batch_size=CHUNK_ROWS,
        )

    return peer_of(make)


def smooth_grad(samples: int, noise: float) -> Peer:
    """Of the signed gradient; it takes absolute deviations, so `noise` is turned into one."""

    def make(network: nn.Module, subject: Subject) -> Call:
        explainer = NoiseTunnel(Saliency(network))
        low, high = subject.images.aminmax()
        deviation = noise * float(high - low)
        return lambda images, targets: explainer.attribute(
            images,
            nt_type="smoothgrad",
            nt_samples=samples,
            nt_samples_batch_size=CHUNK_ROWS // BATCH,
            stdevs=deviation,
            target=targets,
            abs=False,
        )

    return peer_of(make, tolerance=None, note="other noise")


def gradient_shap(samples: int) -> Peer:
    """From a baseline of zeros."""

    def make(network: nn.Module, _: Subject) -> Call:
        explainer = GradientShap(network)
        return lambda images, targets: explainer.attribute(
            images, torch.zeros_like(images[:1]), n_samples=samples, stdevs=0.0, target=targets
        )

    return peer_of(make, tolerance=None, note="other random points")


def deconvnet(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """Of nn.ReLU modules only."""
    return peer_of(lambda net, _: _by_target(Deconvolution(net)), tolerance=tolerance, note=note)


def guided_backprop(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """Of nn.ReLU modules only."""
    return peer_of(lambda net, _: _by_target(GuidedBackprop(net)), tolerance=tolerance, note=note)


def guided_grad_cam(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """Stretches the coarse map without interpolation, unless it is told otherwise."""

    def make(network: nn.Module, subject: Subject) -> Call:
        explainer = GuidedGradCam(network, _layer(network, subject))
        return lambda images, targets: explainer.attribute(
            images, target=targets, interpolate_mode="bilinear"
        )

    return peer_of(make, tolerance=tolerance, note=note)


def grad_cam() -> Peer:
    """With the ReLU and the resizing that it leaves to its users."""

    def make(network: nn.Module, subject: Subject) -> Call:
        explainer = LayerGradCam(network, _layer(network, subject))

        def call(images: Tensor, targets: Tensor) -> Tensor:
            cams = explainer.attribute(images, target=targets, relu_attributions=True)
            return F.interpolate(cams, size=images.shape[2:], mode="bilinear")

        return call

    return peer_of(make)


def deep_lift(*, note: str) -> Peer:
    """From a baseline of zeros."""

    def make(network: nn.Module, _: Subject) -> Call:
        explainer = DeepLift(network)
        return lambda images, targets: explainer.attribute(images, torch.zeros_like(images), target=targets)

    return peer_of(make, tolerance=None, note=note)


def deep_shap(references: int, noise: float) -> Peer:
    """From zeros under noise."""

    def make(network: nn.Module, subject: Subject) -> Call:
        explainer = DeepLiftShap(network)
        low, high = subject.images.aminmax()
        random = torch.Generator().manual_seed(0)
        drawn = torch.randn(references, *subject.images.shape[1:], generator=random)
        against = (noise * (high - low)).cpu() * drawn
        against = against.to(subject.images.device)
        return lambda images, targets: explainer.attribute(images, against, target=targets)

    return peer_of(make, tolerance=None, note="other references")


def occlusion(window: int, stride: int) -> Peer:
    """With as many windows at a time as ours takes."""

    def make(network: nn.Module, _: Subject) -> Call:
        explainer = Occlusion(network)

        def call(images: Tensor, targets: Tensor) -> Tensor:
            with torch.no_grad():
                maps = explainer.attribute(
                    images,
                    (3, window, window),
                    strides=(3, stride, stride),
                    target=targets,
                    perturbations_per_eval=CHUNK_ROWS // BATCH,
                )
            return torch.as_tensor(maps)

        return call

    return peer_of(make, reduce=first_channel)


def first_channel(maps: Tensor) -> Tensor:
    """Of the channels, which are all the same."""
    return maps[:, 0]


def _sum(maps: Tensor) -> Tensor:
    return maps.sum(1)


def peer_of(
    make: Callable[[nn.Module, Subject], Call],
    *,
    reduce: Callable[[Tensor], Tensor] = _sum,
    tolerance: float | None = 1e-3,
    note: str = "",
) -> Peer:
    def prepare(subject: Subject) -> Run:
        call = make(for_peers(subject.network), subject)
        targets = torch.tensor(subject.targets, device=subject.images.device)

        def run() -> Tensor:
            images = subject.images.clone().requires_grad_()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it says that it sets hooks
                return reduce(call(images, targets)).detach()

        return run

    return Peer(LIBRARY, prepare, tolerance, note)


def _by_target(explainer: Any) -> Call:  # Any: the library has no types
    return lambda images, targets: explainer.attribute(images, target=targets)


def _layer(network: nn.Module, subject: Subject) -> nn.Module:
    assert subject.layer is not None
    return network.get_submodule(subject.layer)

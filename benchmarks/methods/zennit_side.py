"""zennit with canonizers for adds and poolings that it does not see by itself, its hooks kept in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual, MobileNetV2
from zennit.attribution import Gradient, SmoothGrad
from zennit.canonizers import AttributeCanonizer, Canonizer, SequentialMergeBatchNorm
from zennit.composites import (
    Composite,
    DeconvNet,
    EpsilonPlus,
    ExcitationBackprop,
    GuidedBackprop,
    LayerMapComposite,
    layer_map_base,
)
from zennit.layer import Sum
from zennit.rules import ZPlus
from zennit.torchvision import ResNetCanonizer
from zennit.types import Linear

from benchmarks.methods.networks import Subject, for_peers
from benchmarks.methods.peers import Peer, Run

LIBRARY = "zennit"
Reduce = Callable[[Tensor], Tensor]


def saliency() -> Peer:
    """The gradient, its maximum over channels taken outside."""
    return _peer(None, reduce=lambda maps: maps.abs().amax(1))


def smooth_grad(samples: int, level: float) -> Peer:
    """`level` is a share of the range of the input; the last sample is without noise."""

    def attributor(network: nn.Module) -> SmoothGrad:
        return SmoothGrad(network, noise_level=level, n_iter=samples)

    return _peer(None, attributor=attributor, tolerance=None, note="other noise, one sample without")


def deconvnet(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """Of nn.ReLU modules only."""
    return _peer(DeconvNet, tolerance=tolerance, note=note)


def guided_backprop(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """Of nn.ReLU modules only."""
    return _peer(GuidedBackprop, tolerance=tolerance, note=note)


def epsilon_plus(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """LRP: z-plus for convolutions, epsilon for linear layers."""
    return _peer(lambda: EpsilonPlus(canonizers=canonizers()), tolerance=tolerance, note=note)


def z_plus(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """Deep Taylor: z-plus everywhere."""
    layers = [*layer_map_base(1e-6), (Linear, ZPlus(stabilizer=1e-6))]
    return _peer(lambda: LayerMapComposite(layers, canonizers=canonizers()), tolerance=tolerance, note=note)


def excitation_backprop(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """Its relevance of the input, as excitation of the pixels."""
    return _peer(lambda: ExcitationBackprop(canonizers=canonizers()), tolerance=tolerance, note=note)


def canonizers() -> list[Canonizer]:
    """For both networks."""
    return [ResNetCanonizer(), _MobileNetCanonizer(), SequentialMergeBatchNorm()]


class _MobileNetCanonizer(AttributeCanonizer):  # type: ignore[misc]  # the library has no types
    """Makes the residual add and the last pooling of MobileNetV2 modules, which rules can be given to."""

    def __init__(self) -> None:
        super().__init__(self._attributes)

    @staticmethod
    def _attributes(_name: str, module: nn.Module) -> dict[str, Any] | None:  # Any: as the library asks
        if isinstance(module, InvertedResidual) and module.use_res_connect:
            total = Sum()

            def forward(features: Tensor) -> Tensor:
                mixed: Tensor = total(torch.stack([features, module.conv(features)], dim=-1))
                return mixed

            return {"forward": forward, "canonizer_sum": total}
        if isinstance(module, MobileNetV2):
            pool = nn.AdaptiveAvgPool2d(1)

            def pooled(images: Tensor) -> Tensor:
                logits: Tensor = module.classifier(pool(module.features(images)).flatten(1))
                return logits

            return {"forward": pooled, "canonizer_pool": pool}
        return None


def _sum(maps: Tensor) -> Tensor:
    return maps.sum(1)


def _peer(
    composite: Callable[[], Composite] | None,
    *,
    attributor: Callable[[nn.Module], Any] | None = None,  # Any: the library has no types
    reduce: Reduce = _sum,
    tolerance: float | None = 1e-3,
    note: str = "",
) -> Peer:
    def prepare(subject: Subject) -> Run:
        network = for_peers(subject.network)
        if attributor is not None:
            explainer = attributor(network)
        else:
            explainer = Gradient(network, None if composite is None else composite())
        explainer.__enter__()  # the hooks stay: setting them is not timed, and the copy is thrown away
        classes = subject.network(subject.images[:1]).shape[1]
        wanted = torch.eye(classes, device=subject.images.device)[list(subject.targets)]

        def run() -> Tensor:
            images = subject.images.clone().requires_grad_()
            return reduce(explainer(images, wanted)[1]).detach()

        return run

    return Peer(LIBRARY, prepare, tolerance, note)

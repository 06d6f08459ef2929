"""zennit with canonizers for adds and poolings that it does not see by itself, its hooks kept in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from zennit.attribution import Gradient, SmoothGrad
from zennit.canonizers import AttributeCanonizer, Canonizer, SequentialMergeBatchNorm
from zennit.composites import (
    Composite,
    DeconvNet,
    EpsilonPlus,
    ExcitationBackprop,
    GuidedBackprop,
    SpecialFirstLayerMapComposite,
    layer_map_base,
)
from zennit.layer import Sum
from zennit.rules import ZBox, ZPlus
from zennit.torchvision import ResNetCanonizer
from zennit.types import Convolution, Linear

from benchmarks.methods import torchvision
from benchmarks.methods.networks import Subject, for_peers
from benchmarks.methods.peers import Peer, Run

LIBRARY = "zennit"
mobilenet = torchvision.models.mobilenetv2
ONE, LOGIT = "one", "logit"  # what the relevance of the class is at first
Reduce = Callable[[Tensor], Tensor]


def saliency() -> Peer:
    """The gradient, its maximum over channels taken outside."""
    return _peer(lambda _: None, reduce=lambda maps: maps.abs().amax(1))


def smooth_grad(samples: int, level: float) -> Peer:
    """`level` is a share of the range of the input; the last sample is without noise."""

    def attributor(network: nn.Module) -> SmoothGrad:
        return SmoothGrad(network, noise_level=level, n_iter=samples)

    return _peer(
        lambda _: None, attributor=attributor, tolerance=None, note="other noise, one sample without"
    )


def deconvnet(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """Of nn.ReLU modules only."""
    return _peer(lambda _: DeconvNet(), tolerance=tolerance, note=note)


def guided_backprop(*, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """Of nn.ReLU modules only."""
    return _peer(lambda _: GuidedBackprop(), tolerance=tolerance, note=note)


def epsilon_plus() -> Peer:
    """LRP: z-plus for convolutions, epsilon for linear layers."""
    return _peer(lambda _: EpsilonPlus(canonizers=canonizers()), seed=LOGIT)


def deep_taylor() -> Peer:
    """Z-plus everywhere, z-box at the pixels."""

    def composite(subject: Subject) -> Composite:
        low, high = (bound(subject.images, (1, 2, 3), keepdim=True) for bound in (torch.amin, torch.amax))
        return SpecialFirstLayerMapComposite(
            [*layer_map_base(1e-6), (Linear, ZPlus(stabilizer=1e-6, zero_params="bias"))],
            [(Convolution, ZBox(low, high, stabilizer=1e-6))],
            canonizers=canonizers(),
        )

    note = "of an addition both sides have a part, also one that speaks against the sum"
    return _peer(composite, seed=LOGIT, tolerance=None, note=note)


def excitation_backprop() -> Peer:
    """Down to the layer only, as a user who knows the library would do it."""

    def prepare(subject: Subject) -> Run:
        network, kept = _exact(for_peers(subject.network, frozen=False)), list[Tensor]()
        ExcitationBackprop(zero_params="bias", canonizers=canonizers()).register(network)
        assert subject.layer is not None
        network.get_submodule(subject.layer).register_forward_hook(lambda *call: kept.append(call[2]))
        wanted = _one_hot(subject)

        def run() -> Tensor:
            kept.clear()
            logits = network(subject.images)
            (relevance,) = torch.autograd.grad(logits, kept, wanted)
            size = subject.images.shape[2:]
            return F.interpolate(relevance.sum(1, keepdim=True), size=size, mode="bilinear")[:, 0]

        return run

    note = "of an addition both sides have a part, also one that is negative"
    return Peer(LIBRARY, prepare, None, note)


def canonizers() -> list[Canonizer]:
    """For both networks."""
    return [ResNetCanonizer(), _MobileNetCanonizer(), SequentialMergeBatchNorm()]


class _MobileNetCanonizer(AttributeCanonizer):  # type: ignore[misc]  # the library has no types
    """Makes the residual add and the last pooling of MobileNetV2 modules, which rules can be given to."""

    def __init__(self) -> None:
        super().__init__(self._attributes)

    @staticmethod
    def _attributes(_name: str, module: nn.Module) -> dict[str, Any] | None:  # Any: as the library asks
        if isinstance(module, mobilenet.InvertedResidual) and module.use_res_connect:
            total = Sum()

            def forward(features: Tensor) -> Tensor:
                mixed: Tensor = total(torch.stack([features, module.conv(features)], dim=-1))
                return mixed

            return {"forward": forward, "canonizer_sum": total}
        if isinstance(module, mobilenet.MobileNetV2):
            pool = nn.AdaptiveAvgPool2d(1)

            def pooled(images: Tensor) -> Tensor:
                logits: Tensor = module.classifier(pool(module.features(images)).flatten(1))
                return logits

            return {"forward": pooled, "canonizer_pool": pool}
        return None


def _sum(maps: Tensor) -> Tensor:
    return maps.sum(1)


def _exact(network: nn.Module) -> nn.Module:
    """With batch norms that do nothing once they are merged and emptied; else each divides by a little."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None:
            norm.running_var += norm.eps
            norm.eps = 0
    return network


def _one_hot(subject: Subject) -> Tensor:
    classes = subject.network(subject.images[:1]).shape[1]
    return torch.eye(classes, device=subject.images.device)[list(subject.targets)]


def _peer(
    composite: Callable[[Subject], Composite | None],
    *,
    attributor: Callable[[nn.Module], Any] | None = None,  # Any: the library has no types
    reduce: Reduce = _sum,
    seed: str = ONE,
    tolerance: float | None = 1e-3,
    note: str = "",
) -> Peer:
    def prepare(subject: Subject) -> Run:
        network = _exact(for_peers(subject.network))
        explainer = Gradient(network, composite(subject)) if attributor is None else attributor(network)
        explainer.__enter__()  # the hooks stay: setting them is not timed, and the copy is thrown away
        one_hot = _one_hot(subject)
        wanted = one_hot if seed == ONE else lambda logits: one_hot * logits.detach()

        def run() -> Tensor:
            images = subject.images.clone().requires_grad_()
            return reduce(explainer(images, wanted)[1]).detach()

        return run

    return Peer(LIBRARY, prepare, tolerance, note)

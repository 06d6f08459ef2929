"""What every call adds that is not proportional to its inputs, times the gradient: FullGrad's bias terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import AFFINE, Call, Graph, Kind, Site
from workers.graph.calls import Value
from workers.graph.kinds import mixes_places, name_of
from workers.probe.propagation import Reading
from workers.rules.tangents import pushed_forward

CHANNELS_FIRST, CHANNELS_LAST = 1, 3
PROPORTIONAL = frozenset({"relu", "leaky_relu", "prelu", "abs"})  # f(x) = f'(x) x


class BiasMeter:
    """Notes b g of each call, b = f(x) - J_f(x) x and g the gradient at its output, as (N, 2, h, w).

    First its sum over the channels, then the sum of its magnitudes; (N, 2, 1, 1) where there is no grid.
    """

    def __init__(self, graph: Graph) -> None:
        """Raises NotExplainable naming a call that mixes places, or of which nothing is known."""
        for call in graph.calls:
            mixes = call.kind is Kind.BILINEAR and mixes_places(call.function)
            if call.inputs and (mixes or call.kind is Kind.OTHER):
                raise NotExplainable(f"for {call.label} no bias is defined")
        self._channels = _channels(graph)

    def __call__(self, site: Site, inputs: Sequence[Tensor], output: Tensor) -> Reading | None:
        """How b g is read from g; None where b is zero whatever comes in."""
        bias = _bias_of(site, inputs, output)
        channels = self._channels[site.call.name]
        return None if bias is None else lambda gradient: _over_channels(gradient * bias(), channels)


def _bias_of(site: Site, inputs: Sequence[Tensor], output: Tensor) -> Callable[[], Tensor] | None:
    """A function that makes b, in a shape that fits the output."""
    if site.call.kind in AFFINE:
        return _of_affine(site, inputs, output)
    kind, name = site.call.kind, name_of(site.call.function)
    if kind is Kind.BILINEAR:
        return lambda: -output  # J (a, b) = 2 a b
    if kind in (Kind.RECTIFIER, Kind.ACTIVATION) and name not in PROPORTIONAL:
        return lambda: output - _slope(site, inputs[0]) * inputs[0]
    if kind in (Kind.SOFTMAX, Kind.NORMALISATION):
        return lambda: output - pushed_forward(site, inputs, inputs)
    return None


def _of_affine(site: Site, inputs: Sequence[Tensor], output: Tensor) -> Callable[[], Tensor] | None:
    kind = site.call.kind
    if kind is Kind.LINEAR:
        bias = beside(site.bias, output, site)
        return None if bias is None else lambda: bias
    if kind in (Kind.BATCH_NORM, Kind.SHIFT):
        return lambda: site(torch.zeros_like(inputs[0][:1]))
    if kind is Kind.ROUTE and meets_constants(site.call):
        return lambda: site(*(torch.zeros_like(one) for one in inputs))
    return None


def beside(bias: Tensor | None, output: Tensor, site: Site) -> Tensor | None:
    """The bias of a linear call in a shape that fits its output (N, ...)."""
    if bias is None or name_of(site.call.function) == "linear":
        return bias
    return bias.view(-1, *(1,) * (output.dim() - 2))


def meets_constants(call: Call) -> bool:
    """Whether something else may stand beside what is moved: a class token, or the value of a border."""
    others = (leaf for place, leaf in enumerate(call.leaves) if place not in call.inputs)
    return "pad" in name_of(call.function) or any(isinstance(one, Value) for one in others)


def _slope(site: Site, value: Tensor) -> Tensor:
    leaf = value.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(site(leaf).sum(), leaf)[0]


def _over_channels(products: Tensor, channels: int) -> Tensor:
    if products.dim() == 4:
        return torch.stack([products.sum(dim=channels), products.abs().sum(dim=channels)], dim=1)
    flat = products.flatten(1)
    return torch.stack([flat.sum(dim=1), flat.abs().sum(dim=1)], dim=1)[:, :, None, None]


def _channels(graph: Graph) -> Mapping[str, int]:
    """For each call the dimension in which its channels stand, if it has a grid."""
    found: dict[str, int] = {}
    for call in graph.calls:
        before = found.get(call.reads[0], CHANNELS_FIRST) if call.inputs else CHANNELS_FIRST
        found[call.name] = _channels_of(call, before)
    return found


def _channels_of(call: Call, before: int) -> int:
    name = name_of(call.function)
    if name in ("linear", "layer_norm", "rms_norm"):
        return CHANNELS_LAST
    if name == "permute" and len(call.leaves) == 5:
        return [place % 4 for place in call.leaves[1:]].index(before)
    elsewhere = call.kind in (Kind.LINEAR, Kind.BATCH_NORM, Kind.MAX_POOL) or name == "group_norm"
    return CHANNELS_FIRST if elsewhere else before

"""DeepLIFT's reveal-cancel rule: what raises a value and what lowers it go separate ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import AFFINE, IMAGE, Call, Graph, Kind, Site, walk
from workers.graph.kinds import mixes_places, name_of
from workers.graph.passages import Witness
from workers.probe import Probe
from workers.probe.paths import rises
from workers.probe.propagation import meet
from workers.rules.biases import meets_constants
from workers.rules.multipliers import Multiply, multiply_of
from workers.rules.weights import negative_part, positive_part

FACTORS = frozenset({"mul", "div", "neg"})  # multiply value by value


def reveal_cancelled(probe: Probe, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Multipliers (R, C, H, W), and how much each row's logit is higher than at its reference, (R,).

    The reference is (1, C, H, W), or (S, C, H, W) with one for each image.
    """
    back = probe.traced.way_back(lambda graph, images: RevealCancel(graph, images, reference), merged=True)
    (multipliers,) = back.relevances((IMAGE,))
    return multipliers, rises(probe, reference)


class RevealCancel:
    """What N images add to their reference, in two parts from the image to the logits, and multipliers back.

    A value stands for [d+; d-], (2N, ...): the parts of its difference that raised it and that lowered it.
    """

    def __init__(self, graph: Graph, images: Tensor, reference: Tensor) -> None:
        """`reference` is (1, C, H, W) or (N, C, H, W). Raises NotExplainable naming what it cannot treat."""
        if not graph.any_number:
            raise NotExplainable("the network's forward pass depends on the number of images")
        self._multiply = {call.name: _multiply_of(call) for call in graph.calls if call.inputs}
        with torch.inference_mode(False), torch.no_grad():
            reference = reference.expand_as(images).clone()
            met, _ = meet(graph, reference, lambda call: self._multiply[call.name] is not None)
            self._met = dict(met)
            change = images - reference
            self._parts = torch.cat([change.clamp(min=0), change.clamp(max=0)]).requires_grad_()
            with torch.enable_grad():
                self._rises: Tensor = walk(graph, self._parts, self._step)[graph.answer]
        self._raised = change > 0

    @property
    def logits(self) -> Tensor:
        """(N, K): how much higher the logits are than at the reference."""
        plus, minus = self._rises.detach().chunk(2)
        return plus + minus

    def backward(self, seeds: Tensor, _: Sequence[str]) -> tuple[Tensor]:
        """(N, C, H, W): the multipliers of the pixels' differences from the reference."""
        with torch.inference_mode(False), torch.enable_grad():
            (found,) = torch.autograd.grad(
                self._rises, self._parts, torch.cat([seeds, seeds]), retain_graph=True
            )
        plus, minus = found.chunk(2)
        return (torch.where(self._raised, plus, minus),)

    def _step(self, site: Site, inputs: Sequence[Any]) -> Any:  # Any: see above
        multiply = self._multiply[site.call.name]
        if multiply is None:
            return _affine(site, inputs)
        there = self._met.pop(site.call.name)
        return _Parted.apply(site, multiply, there, *inputs)  # type: ignore[no-untyped-call]


def _multiply_of(call: Call) -> Multiply | None:
    tokens = call.kind in (Kind.BILINEAR, Kind.SCALE) and mixes_places(call.function)
    if tokens or (call.kind is Kind.SCALE and name_of(call.function) not in FACTORS):
        raise NotExplainable(f"{call.label} mixes the two parts of a difference in no known way")
    return None if call.kind in AFFINE else multiply_of(call)


def _affine(site: Site, inputs: Sequence[Any]) -> Any:  # Any: see above
    """The parts of what an affine call returns; autograd gives its multipliers."""
    kind, name = site.call.kind, name_of(site.call.function)
    if kind is Kind.LINEAR:
        return _linear(site, inputs[0])
    if kind in (Kind.SCALE, Kind.BATCH_NORM):
        return _scaled(
            inputs[0], site(torch.ones_like(inputs[0][:1])) - site(torch.zeros_like(inputs[0][:1]))
        )
    if kind is Kind.SHIFT:
        return -_swapped(inputs[0]) if name == "rsub" else inputs[0]
    if kind is Kind.SUM and name in ("sub", "rsub"):
        taken = 1 if name == "sub" else 0  # of what is taken away, the lowering part raises
        return site(*(_swapped(one) if place == taken else one for place, one in enumerate(inputs)))
    if kind is Kind.ROUTE and meets_constants(site.call):
        return site(*inputs) - site(*(torch.zeros_like(one) for one in inputs))
    return site(*inputs)


def _linear(site: Site, parts: Tensor) -> Tensor:
    """Which part of the output an input feeds, its whole difference and its weight decide (section 3.5.1).

    Halves of the magnitude keep autograd fair where the difference is zero: half of each multiplier.
    """
    plus, minus = parts.chunk(2)
    whole = plus + minus
    signs = torch.cat([whole + whole.abs(), whole - whole.abs()]) / 2
    rising = site.linear(signs, positive_part(site.weight))
    return rising + _swapped(site.linear(signs, negative_part(site.weight)))


def _scaled(parts: Tensor, factors: Tensor) -> Tensor:
    return parts * factors.clamp(min=0) + _swapped(parts) * factors.clamp(max=0)


def _swapped(parts: Tensor) -> Tensor:
    plus, minus = parts.chunk(2)
    return torch.cat([minus, plus])


class _Parted(torch.autograd.Function):
    """The parts of a function's difference: each on average over the other's being there or not (3.5.3)."""

    @staticmethod
    # Any: the context that autograd hands over.
    def forward(ctx: Any, site: Site, multiply: Multiply, there: Witness, *parts: Tensor) -> Tensor:
        halves = [one.chunk(2) for one in parts]
        ways = [(1, 0), (0, 1), (1, 1)]  # which parts are there
        ends = []
        for up, down in ways:
            inputs = tuple(
                start + up * plus + down * minus
                for start, (plus, minus) in zip(there.inputs, halves, strict=True)
            )
            ends.append(Witness(inputs, site(*inputs)))
        ctx.site, ctx.multiply, ctx.ends = site, multiply, (there, *ends)
        start, raised, lowered, whole = (one.output for one in ctx.ends)
        plus = (raised - start + whole - lowered) / 2
        return torch.cat([plus, (lowered - start + whole - raised) / 2])

    @staticmethod
    # Any: see above.
    def backward(ctx: Any, multipliers: Tensor) -> tuple[Tensor | None, ...]:
        start, raised, lowered, whole = ctx.ends
        plus, minus = multipliers.chunk(2)
        with torch.no_grad():
            found = [
                [(one + other) / 2 for one, other in zip(*both, strict=True)]
                for both in (
                    [ctx.multiply(ctx.site, *way, plus) for way in ((start, raised), (lowered, whole))],
                    [ctx.multiply(ctx.site, *way, minus) for way in ((start, lowered), (raised, whole))],
                )
            ]
        return (None, None, None, *(torch.cat(both) for both in zip(*found, strict=True)))

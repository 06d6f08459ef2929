"""One forward walk over the traced graph with rules in it, and the backward walks that start from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from workers.graph import IMAGE, Graph, Site, compute, walk
from workers.graph.passages import Composite, Rule, Ruled, Witness


class Propagation:
    """The answers to N images, recorded from the first of some points on, with a composite's rules.

    A point is the name of a value of the graph; `IMAGE` is the images themselves. Below the first point
    nothing is recorded, and of weights no gradient is ever computed.
    """

    def __init__(
        self,
        graph: Graph,
        composite: Composite,
        images: Tensor,
        *,
        witnesses: Sequence[Tensor] = (),
        points: Sequence[str] = (IMAGE,),
    ) -> None:
        """`witnesses` are other images, each (1, C, H, W) or (N, C, H, W), that rules may compare with."""
        self._rules = {call.name: composite(call) for call in graph.calls if call.inputs}
        self._names = frozenset(points)
        self._points: dict[str, Tensor] = {}
        with torch.inference_mode(False):
            self._met = [self._witnessed(graph, witness) for witness in witnesses]
            with torch.set_grad_enabled(IMAGE in self._names):
                inputs = self._pass_point(IMAGE, images.clone())
                self.logits: Tensor = walk(graph, inputs, self._step)[graph.answer]

    def values(self, point: str) -> Tensor:
        """(N, ...) what the network computed there."""
        return self._points[point].detach()

    def backward(self, seeds: Tensor, points: Sequence[str]) -> tuple[Tensor, ...]:
        """What the seeds (N, K), relevance of the logits, become at some points."""
        leaves = [self._points[point] for point in points]
        with torch.inference_mode(False), torch.enable_grad():
            found = torch.autograd.grad(
                self.logits, leaves, seeds.to(self.logits), retain_graph=True, allow_unused=True
            )
        return tuple(
            torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, found, strict=True)
        )

    def _step(self, site: Site, inputs: Sequence[Any]) -> Any:  # Any: some calls return several tensors
        rule: Rule | None = self._rules[site.call.name]
        if rule is None or not torch.is_grad_enabled():
            output = compute(site, inputs)
        else:
            met = tuple(one[site.call.name] for one in self._met)
            output = Ruled.apply(site, rule, met, *inputs)  # type: ignore[no-untyped-call]
        return self._pass_point(site.call.name, output)

    def _pass_point(self, name: str, output: Any) -> Any:  # Any: see above
        """The first point becomes the leaf of the graph and switches recording on."""
        if name not in self._names:
            return output
        self._points[name] = output if output.requires_grad else output.detach().requires_grad_()
        torch.set_grad_enabled(True)
        return self._points[name]

    def _witnessed(self, graph: Graph, image: Tensor) -> Mapping[str, Witness]:
        met: dict[str, Witness] = {}

        def step(site: Site, inputs: Sequence[Any]) -> Any:  # Any: see above
            output = compute(site, inputs)
            if self._rules[site.call.name] is not None:
                met[site.call.name] = Witness(tuple(inputs), output)
            return output

        with torch.no_grad():
            walk(graph, image, step)
        return met

"""One forward walk over the traced graph with rules in it, and the backward walks that start from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from workers.graph import IMAGE, Call, Graph, Site, compute, walk
from workers.graph.passages import Composite, Rule, Ruled, Witness

Reading = Callable[[Tensor], Tensor]  # relevance of the output of a call -> what is noted of it, (N, ...)
Meter = Callable[[Site, Sequence[Tensor], Tensor], Reading | None]
"""What to note of a call, from its inputs and its output; None notes nothing."""


class Propagated(Protocol):
    """Logits (N, K), or what stands in their place, from which backward walks start."""

    @property
    def logits(self) -> Tensor: ...
    def backward(self, seeds: Tensor, points: Sequence[str]) -> tuple[Tensor, ...]:
        """(N, ...) at each point, for seeds (N, K)."""


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
        meter: Meter | None = None,
    ) -> None:
        """`witnesses` are other images, each (1, C, H, W) or (N, C, H, W), that rules may compare with.

        What `meter` notes on the way back is asked for like relevance at a point, by the name of the call.
        """
        self._rules = {call.name: composite(call) for call in graph.calls if call.inputs}
        self._names = frozenset(points)
        self._points: dict[str, Tensor] = {}
        self._meter, self._noted = meter, dict[str, Tensor]()
        self.metered: list[str] = []
        self._met: list[Mapping[str, Witness]] = []
        self.witnessed: list[Tensor] = []  # the logits of each witness, (1, K) or (N, K)
        with torch.inference_mode(False):
            for witness in witnesses:
                self._meet(graph, witness, len(images))
            with torch.set_grad_enabled(IMAGE in self._names):
                inputs = self._pass_point(IMAGE, images.clone())
                self.logits: Tensor = walk(graph, inputs, self._step)[graph.answer]

    def values(self, point: str) -> Tensor:
        """(N, ...) what the network computed there."""
        return self._points[point].detach()

    def backward(self, seeds: Tensor, points: Sequence[str]) -> tuple[Tensor, ...]:
        """What the seeds (N, K), relevance of the logits, become at some points or metered calls."""
        self._noted.clear()
        leaves = {point: self._points[point] for point in points if point in self._points}
        with torch.inference_mode(False), torch.enable_grad():
            found = torch.autograd.grad(
                self.logits, [*leaves.values()], seeds.to(self.logits), retain_graph=True, allow_unused=True
            )
        for (point, leaf), one in zip(leaves.items(), found, strict=True):
            self._noted[point] = torch.zeros_like(leaf) if one is None else one
        return tuple(self._noted.pop(point) for point in points)

    def _step(self, site: Site, inputs: Sequence[Any]) -> Any:  # Any: some calls return several tensors
        rule: Rule | None = self._rules[site.call.name]
        if rule is None or not torch.is_grad_enabled():
            output = compute(site, inputs)
        else:
            met = tuple(one[site.call.name] for one in self._met)
            output = Ruled.apply(site, rule, met, *inputs)  # type: ignore[no-untyped-call]
        if self._meter is not None and torch.is_grad_enabled() and isinstance(output, Tensor):
            self._note(self._meter, site, inputs, output)
        return self._pass_point(site.call.name, output)

    def _note(self, meter: Meter, site: Site, inputs: Sequence[Tensor], output: Tensor) -> None:
        with torch.no_grad():
            reading = meter(site, [one.detach() for one in inputs], output.detach())
        if reading is not None:
            self.metered.append(site.call.name)
            read = partial(self._read, site.call.name, reading)
            output.register_hook(read)  # type: ignore[no-untyped-call]

    def _read(self, name: str, reading: Reading, relevance: Tensor) -> None:
        self._noted[name] = reading(relevance)

    def _pass_point(self, name: str, output: Any) -> Any:  # Any: see above
        """The first point becomes the leaf of the graph and switches recording on."""
        if name not in self._names:
            return output
        self._points[name] = output if output.requires_grad else output.detach().requires_grad_()
        torch.set_grad_enabled(True)
        return self._points[name]

    def _meet(self, graph: Graph, witness: Tensor, number: int) -> None:
        """One witness of all images is walked once where its values can stand beside theirs."""
        beside = witness.expand(number, -1, -1, -1)
        met, logits = meet(graph, witness if graph.any_number else beside, self._is_ruled)
        if len(logits) < number and any(one.shape[0] != 1 for at in met.values() for one in at.inputs):
            met, logits = meet(graph, beside, self._is_ruled)
        self._met.append(met)
        self.witnessed.append(logits)

    def _is_ruled(self, call: Call) -> bool:
        return self._rules[call.name] is not None


def meet(
    graph: Graph, images: Tensor, wanted: Callable[[Call], bool] = lambda _: True
) -> tuple[Mapping[str, Witness], Tensor]:
    """What each wanted call meets when images go through the network, by its name; and the logits."""
    met: dict[str, Witness] = {}

    def step(site: Site, inputs: Sequence[Any]) -> Any:  # Any: some calls return several tensors
        output = compute(site, inputs)
        if wanted(site.call):
            met[site.call.name] = Witness(tuple(inputs), output)
        return output

    with torch.no_grad():
        return met, walk(graph, images, step)[graph.answer]

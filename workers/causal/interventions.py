"""What a network answers when paths out of nodes are weakened: by changed values, never by changed weights.

With a factor f on the weights w of the paths from a node with values a, a linear call returns its output less
(1 - f) w * a at the rows where the paths end, which costs a part of the call. What lies above is computed
again, what lies below is not. Source: "Causal Analysis for Robust Interpretability of Neural Networks",
definition 1.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.causal.bundles import ShortcutBundle, WeightBundle
from workers.causal.skeleton import Anatomy, Shortcut, Weights
from workers.graph import IMAGE, Kind, Site, walk
from workers.graph.calls import Value


@dataclass(frozen=True)
class Met:
    """The values around some paths, by name, as images (n, C, H, W) made them; their `logits` are (n, K)."""

    values: Mapping[str, Tensor]
    logits: Tensor


@dataclass(frozen=True)
class Weakened:
    """Whose paths are weakened: of each of the `nodes` (k,) by itself, by `damping` (n,), 1 - f, an image."""

    nodes: Tensor
    damping: Tensor


class Interventions:
    """The paths from a layer to chosen nodes above, and what the network answers when some are weakened."""

    def __init__(self, anatomy: Anatomy, layer: str, targets: Mapping[str, Sequence[int]]) -> None:
        """`targets` are indices of nodes by the names of their layers.

        Raises NotExplainable when there is no such layer, or values of many images cannot be told apart.
        """
        self._graph = anatomy.graph
        self._weights: dict[str, WeightBundle] = {}
        self._shortcuts: dict[str, list[ShortcutBundle]] = defaultdict(list)
        for paths in anatomy.out_of(layer):
            chosen = torch.tensor(sorted(set(targets.get(paths.child, ()))), dtype=torch.int64)
            if isinstance(paths, Weights):
                weights = WeightBundle.to(paths, chosen)
                if len(weights.rows):
                    self._weights[paths.call.name] = weights
            elif len(chosen):
                self._shortcuts[paths.call.name].append(ShortcutBundle.to(paths, chosen))
        above = {call.name for call in anatomy.above({*self._weights, *self._shortcuts})}
        again = above | self._shortcuts.keys()
        self._direct = self._weights.keys() - again  # whose own input does not change
        self._calls = tuple(call for call in self._graph.calls if call.name in again or not call.inputs)
        self._given = self._needed()
        ends = (*self._weights, *self._shortcuts)
        self._kept = self._given | {name for call in ends for name in self._graph.call[call].reads}
        self.count = anatomy.sizes[layer]

    @property
    def reached(self) -> Tensor:
        """(count,) bool: the nodes of the layer that have any such paths."""
        found = torch.zeros(self.count, dtype=torch.bool)
        for name, bundle in self._weights.items():
            found |= bundle.begins(self._site(name), self.count)
        for bundles in self._shortcuts.values():
            for shortcut in bundles:
                found |= shortcut.begins(self.count)
        return found

    @property
    def largest(self) -> int:
        """The most numbers that an image has in any value on the way."""
        on_the_way = {*self._direct, *(call.name for call in self._calls if call.inputs)}
        sizes = (math.prod(size or 1 for size in self._graph.call[name].shape) for name in on_the_way)
        return max(sizes, default=1)

    def meet(self, images: Tensor) -> Met:
        """One pass of images (n, C, H, W) as they are."""
        kept = walk(self._graph, images, keep=self._kept)
        values = {name: images if name == IMAGE else kept[name] for name in self._kept}
        return Met(values, kept[self._graph.answer])

    def answers(self, met: Met, weakened: Weakened) -> Tensor:
        """(k, n, K): the logits for each node whose paths are weakened, and each image that was met."""
        k, n = len(weakened.nodes), len(met.logits)
        given = {name: _repeated(met.values[name], k) for name in self._given - self._direct}

        def step(site: Site, inputs: Sequence[Any]) -> Any:  # Any: some calls return several tensors
            inputs = list(inputs)
            for bundle in self._shortcuts.get(site.call.name, ()):
                factors = bundle.weakening(weakened.nodes, weakened.damping).flatten(0, 1)
                inputs[bundle.paths.place] = inputs[bundle.paths.place] * factors.to(inputs[0].dtype)
            output = site(*inputs)
            if site.call.name in self._weights:
                self._weaken(site.call.name, output, met, weakened)
            return output

        for name in self._direct:
            value = met.values[name]
            given[name] = value.repeat(k, *(1,) * (value.dim() - 1))  # a copy, which is written to
            self._weaken(name, given[name], met, weakened)
        answer: Tensor = walk(self._graph, None, step, calls=self._calls, given=given)[self._graph.answer]
        return answer.view(k, n, -1)

    def brought(self, met: Met, node: int) -> list[tuple[str, Tensor, Tensor]]:
        """What a node brings to each layer above: its name, the nodes there (t,), and (t,) the mean of it."""
        found = []
        for name, bundle in self._weights.items():
            made = bundle.brought(self._site(name), self._read(name, met), torch.tensor([node]))[0]
            found.append((bundle.paths.child, bundle.ends, self._means(bundle, made)))
        for name, bundles in self._shortcuts.items():
            for shortcut in bundles:
                read = met.values[self._graph.call[name].reads[shortcut.paths.place]]
                ends = (shortcut.ends == node).nonzero()[:, 0]
                if len(ends):
                    own = (shortcut.nodes == node).to(read.device)
                    shape = (len(read), *(read[:1] * own).shape[1:])
                    mean = read.expand(shape)[own.expand(shape)].mean() * self._factor(shortcut.paths)
                    found.append((shortcut.paths.child, ends, mean.expand(len(ends))))
        return found

    def _means(self, bundle: WeightBundle, made: Tensor) -> Tensor:
        """(t,): of what is brought (n, ...), the mean where it arrives."""
        way = bundle.paths.way
        if way is None or way.is_plain:
            return made.movedim(bundle.axis, 0).flatten(1).mean(dim=1)
        arriving = bundle.arriving(self._graph, made).mean(dim=0).flatten().double()
        places = way.places.flatten().to(made.device)
        counts = torch.bincount(places)
        return (arriving.new_zeros(len(counts)).index_add(0, places, arriving) / counts)[bundle.ends]

    def _factor(self, paths: Shortcut) -> Tensor:
        """What a sum multiplies its input at one place with: it may subtract."""
        if paths.call.kind is not Kind.SUM:
            return torch.ones(())
        inputs = [torch.zeros(()) for _ in paths.call.inputs]
        inputs[paths.place] = torch.ones(())
        return self._site(paths.call.name)(*inputs)

    def _weaken(self, name: str, output: Tensor, met: Met, weakened: Weakened) -> None:
        """Takes from the output of a linear call, (k * n, ...), what the paths bring to it."""
        bundle = self._weights[name]
        brought = bundle.brought(self._site(name), self._read(name, met), weakened.nodes)
        damping = weakened.damping.to(brought.dtype).view(1, -1, *(1,) * (brought.dim() - 2))
        axis = bundle.axis % output.dim()
        output.index_add_(axis, bundle.rows.to(output.device), (brought * damping).flatten(0, 1), alpha=-1)

    def _read(self, name: str, met: Met) -> Tensor:
        return met.values[self._graph.call[name].reads[0]]

    def _site(self, name: str) -> Site:
        call = self._graph.call[name]
        return call.site({**self._graph.constants, **dict.fromkeys(call.reads)})

    def _needed(self) -> frozenset[str]:
        """The values from below that the calls that are done again read."""
        made = {call.name for call in self._calls}
        read = {leaf.name for call in self._calls for leaf in call.leaves if isinstance(leaf, Value)}
        needed = (read | self._direct) - made - self._graph.constants.keys()
        for name in needed - {IMAGE}:
            if self._graph.call[name].axis != 0:
                raise NotExplainable(f"{self._graph.call[name].label} does not keep images apart")
        return frozenset(needed)


def _repeated(value: Tensor, k: int) -> Tensor:
    """(n, ...) -> (k * n, ...), which may share memory."""
    return value.unsqueeze(0).expand(k, *value.shape).flatten(0, 1)

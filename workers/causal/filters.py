"""Single filters: what each parent brings to each node by itself, and which of these add most to a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workers.causal.bundles import WeightBundle
from workers.causal.readings import Reading
from workers.causal.responses import by_shortcut, into, of_nodes
from workers.causal.skeleton import Anatomy, Weights
from workers.causal.ways import site_of

NUMBERS = 2**24  # of responses at a time


@dataclass(frozen=True)
class Filter:
    """From a parent in a layer below to a node; `strength` is the mean over places of what it adds."""

    layer: str
    parent: int
    node: int
    strength: float

    def of(self, reading: Reading) -> Reading:
        """The reading of this filter alone."""
        place = reading.pathways.nodes.index(self.node)
        pathways = replace(reading.pathways, nodes=(self.node,), parents={self.layer: (self.parent,)})
        return Reading(reading.graph, pathways, (reading.weights[place],))


def strongest(
    subject: Anatomy, values: Mapping[str, Tensor], reading: Reading, count: int
) -> list[list[Filter]]:
    """For each image the filters by |effect_j| times the mean magnitude of w_ji * a_i, the largest first.

    Those that bring nothing are left out.
    """
    nodes = list(reading.pathways.nodes)
    pairs: list[tuple[str, int]] = []
    strengths: list[Tensor] = []
    for layer, parents in reading.pathways.parents.items():
        pairs += [(layer, parent) for parent in parents]
        strengths += _strengths(subject, values, reading, layer) if parents else []
    every = torch.cat(strengths, dim=1).flatten(1)  # (N, parents * nodes)
    sizes, places = every.sort(dim=1, descending=True, stable=True)
    return [
        [
            Filter(layer, parent, nodes[place % len(nodes)], size)
            for size, place in zip(*row, strict=True)
            if size > 0
            for layer, parent in [pairs[place // len(nodes)]]
        ]
        for row in zip(sizes[:, :count].tolist(), places[:, :count].tolist(), strict=True)
    ]


def _strengths(subject: Anatomy, values: Mapping[str, Tensor], reading: Reading, layer: str) -> list[Tensor]:
    """(N, some, nodes) each: of all parents in a layer, some at a time."""
    parents = torch.tensor(reading.pathways.parents[layer], dtype=torch.int64)
    shape = next(one.call.shape for one in into(subject, reading.pathways))
    images = len(next(iter(values.values())))
    size = images * len(reading.weights) * (shape[2] or 1) * (shape[3] or 1)
    found = []
    for some in torch.split(parents, max(1, NUMBERS // size)):
        brought = _brought(subject, values, reading, layer, some)
        weights = brought.new_tensor(reading.weights)
        found.append((brought.abs().mean(dim=(3, 4)) * weights).movedim(0, 1))
    return found


def _brought(
    subject: Anatomy, values: Mapping[str, Tensor], reading: Reading, layer: str, parents: Tensor
) -> Tensor:
    """(k, N, nodes, h, w): what each of k parents brings to each node."""
    nodes = torch.tensor(reading.pathways.nodes, dtype=torch.int64)
    found = []
    for one in into(subject, reading.pathways):
        if one.parent != layer:
            continue
        site = site_of(subject.graph, one.call)
        inputs = [values[name] for name in one.call.reads]
        if isinstance(one, Weights):
            part = _by_weights(subject, WeightBundle.to(one, nodes), inputs[0], parents, nodes)
        else:
            comes = one.ends[nodes] == parents.unsqueeze(1)
            made = by_shortcut(one, site, inputs, parents, nodes)
            part = made * comes.to(made).view(*comes.shape, 1, 1).unsqueeze(1)
        found.append(part)
    return torch.stack(found).sum(dim=0)


def _by_weights(
    subject: Anatomy, bundle: WeightBundle, read: Tensor, parents: Tensor, nodes: Tensor
) -> Tensor:
    way = bundle.paths.way
    made = bundle.brought(site_of(subject.graph, bundle.paths.call), read, parents)
    if way is None or way.is_plain:
        part = made.new_zeros(*made.shape[:2], len(nodes), *made.shape[3:])
        part[:, :, torch.isin(nodes, bundle.ends)] = made
        return part
    arriving = of_nodes(bundle.arriving(subject.graph, made.flatten(0, 1)), way, nodes)
    return arriving.view(*made.shape[:2], *arriving.shape[1:])

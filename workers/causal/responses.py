"""Maps from a causal graph: what the pathways of a class bring to the nodes of a layer (equation 3).

At a node j of the graph the signals a of its parents i in the graph meet the filters between them, without a
bias: I_j = sum_i w_ji * a_i. Into a sum all come as they are added there. Source: "Causal Analysis
for Robust Interpretability of Neural Networks", section 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.causal.bundles import WeightBundle
from workers.causal.nodes import channel_axis
from workers.causal.skeleton import NONE, Anatomy, Shortcut, Weights
from workers.causal.ways import GRID, Way, site_of
from workers.graph import IMAGE, Kind, Site, walk


@dataclass(frozen=True)
class Pathways:
    """Which nodes of a layer are looked at, and which of each layer below count among their parents."""

    layer: str
    nodes: Sequence[int]
    parents: Mapping[str, Sequence[int]]


def has_grid(subject: Anatomy, layer: str) -> bool:
    """Whether a layer is one of feature maps, to whose nodes weights lead from nodes below."""
    into = subject.into(layer)
    is_linear = any(isinstance(one, Weights) for one in into)
    return is_linear and all(_is_of_maps(one) for one in into)


def _is_of_maps(paths: Weights | Shortcut) -> bool:
    """Whether paths lead from feature maps to others, each of which is one node."""
    meeting: Way | Shortcut | None = paths if isinstance(paths, Shortcut) else paths.way
    if isinstance(paths, Weights) and (len(paths.call.shape) != GRID or channel_axis(paths.call) != 1):
        return False
    return meeting is None or meeting.channels is not None


def responses(subject: Anatomy, images: Tensor, pathways: Pathways) -> Tensor:
    """(N, nodes, h, w): what the parents bring to each node, of images (N, C, H, W).

    Raises NotExplainable naming the field `layer` where its nodes are no feature maps.
    """
    if not has_grid(subject, pathways.layer):
        message = f"{pathways.layer!r} is no layer of feature maps above another"
        raise NotExplainable.about("layer", message)
    kept = walk(subject.graph, images, keep=reads(subject, pathways))
    return responses_of(subject, {**kept, IMAGE: images}, pathways)


def reads(subject: Anatomy, pathways: Pathways) -> frozenset[str]:
    """The values, by name, at which the paths from the parents begin."""
    return frozenset(name for one in into(subject, pathways) for name in one.call.reads)


def responses_of(subject: Anatomy, values: Mapping[str, Tensor], pathways: Pathways) -> Tensor:
    """(N, nodes, h, w): what `responses` returns, out of the values that images made."""
    found = []
    for one in into(subject, pathways):
        site = site_of(subject.graph, one.call)
        inputs = [values[name] for name in one.call.reads]
        parents = torch.tensor(sorted(pathways.parents[one.parent]), dtype=torch.int64)
        nodes = torch.tensor(pathways.nodes, dtype=torch.int64)
        if isinstance(one, Weights):
            found.append(_by_weights(subject, one, inputs[0], parents, nodes))
        else:
            found.append(by_shortcut(one, site, inputs, parents, nodes))
    return torch.stack(found).sum(dim=0)


def has_paths(subject: Anatomy, pathways: Pathways) -> bool:
    """Whether any parent has a path to any of the nodes: a depthwise convolution has few."""
    nodes = torch.tensor(pathways.nodes, dtype=torch.int64)
    for one in into(subject, pathways):
        parents = torch.tensor(pathways.parents[one.parent], dtype=torch.int64)
        if isinstance(one, Weights):
            site = site_of(subject.graph, one.call)
            met = WeightBundle.to(one, nodes).begins(site, subject.sizes[one.parent])[parents]
        else:
            met = torch.isin(one.ends[nodes], parents)
        if met.any():
            return True
    return False


def into(subject: Anatomy, pathways: Pathways) -> list[Weights | Shortcut]:
    """The paths to the layer from those below that have parents."""
    return [one for one in subject.into(pathways.layer) if pathways.parents.get(one.parent)]


def _by_weights(subject: Anatomy, paths: Weights, read: Tensor, parents: Tensor, nodes: Tensor) -> Tensor:
    site = site_of(subject.graph, paths.call)
    shown = torch.isin(paths.nodes, parents).to(read)
    made = site.linear(read * shown.view(-1, *(1,) * (read.dim() - 2)), site.weight)
    if paths.way is None or paths.way.is_plain:
        return _chosen(made, paths.rows[nodes])
    return of_nodes(paths.way.carried(subject.graph, made), paths.way, nodes)


def by_shortcut(
    paths: Shortcut, site: Site, inputs: Sequence[Tensor], parents: Tensor, nodes: Tensor
) -> Tensor:
    """(N, nodes, h, w): what the parents bring to the nodes by a shortcut."""
    shown = [torch.zeros_like(one) for one in inputs]
    if site.call.kind is not Kind.SUM:
        shown = list(inputs)
    shown[paths.place] = inputs[paths.place] * torch.isin(paths.nodes, parents).to(inputs[paths.place])
    return of_nodes(site(*shown), paths, nodes)


def of_nodes(maps: Tensor, meeting: Way | Shortcut, nodes: Tensor) -> Tensor:
    """(N, nodes, h, w): the maps (N, C, h, w) of some nodes of a meeting.

    Raises ValueError where its nodes are no feature maps.
    """
    if meeting.channels is None:
        raise ValueError("places of a channel belong to different nodes")
    where = torch.stack([(meeting.channels == node).nonzero()[0, 0] for node in nodes])
    return maps.index_select(1, where.to(maps.device))


def _chosen(made: Tensor, rows: Tensor) -> Tensor:
    """The channels of some rows; nothing where there is none."""
    picked = made.index_select(1, rows.clamp_min(0).to(made.device))
    return picked * (rows != NONE).to(picked).view(-1, 1, 1)

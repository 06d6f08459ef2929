"""The paths from nodes to chosen nodes above: what they bring there, to be taken away or to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workers.causal.nodes import channel_axis
from workers.causal.skeleton import NONE, Shortcut, Weights
from workers.graph import Graph, Site
from workers.graph.kinds import name_of

CONV2D = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
REPLACED = frozenset({"input", "weight", "bias", "groups"})


@dataclass(frozen=True, eq=False)
class WeightBundle:
    """The paths through a linear call to nodes `ends` (t,) of its child layer, by its `rows` (t,)."""

    paths: Weights
    ends: Tensor
    rows: Tensor

    @classmethod
    def to(cls, paths: Weights, targets: Tensor) -> WeightBundle:
        """Those of the targets at which some of the paths end."""
        ends = targets[paths.rows[targets] != NONE]
        return cls(paths, ends, paths.rows[ends])

    @property
    def axis(self) -> int:
        """Where the channels stand."""
        return channel_axis(self.paths.call)

    def columns(self, node: int) -> Tensor:
        """(m,): the columns of the weight that belong to a node."""
        return (self.paths.nodes == node).nonzero()[:, 0]

    def begins(self, site: Site, count: int) -> Tensor:
        """(count,) bool: from which nodes of the layer below there are such paths."""
        weight, columns = site.weight, len(self.paths.nodes)
        own = weight.shape[1]  # columns of one group
        per_group = weight.shape[0] * own // columns
        met = torch.zeros(columns, dtype=torch.bool)
        for group in set((self.rows // per_group).tolist()):
            met[group * own : (group + 1) * own] = True
        nodes = self.paths.nodes[met]
        return torch.zeros(count, dtype=torch.bool).index_fill(0, nodes[nodes != NONE], value=True)

    def brought(self, site: Site, read: Tensor, nodes: Tensor) -> Tensor:
        """(k, n, ...) with t channels: what each of k nodes adds there, from what the call reads (n, ...)."""
        columns = [self.columns(int(node)) for node in nodes]
        by_columns = _BY_COLUMNS.get(name_of(site.call.function))
        is_dense = site.weight.shape[1] == len(self.paths.nodes)
        counts = {len(own) for own in columns}
        if by_columns is None or not is_dense or len(counts) > 1 or 0 in counts:
            return self._of_masked(site, read, columns)
        weight = site.weight[self.rows.to(read.device)]
        return by_columns(read, weight, torch.stack(columns).to(read.device), site)

    def arriving(self, graph: Graph, brought: Tensor) -> Tensor:
        """(M, ...): what the sum to which a way leads has of what is brought (M, ...) with t channels."""
        if self.paths.way is None:
            raise ValueError("the call makes the nodes itself")
        axis = self.axis % brought.dim()
        shape = list(brought.shape)
        shape[axis] = self.paths.call.shape[self.axis] or 1
        share = brought.new_zeros(shape).index_copy(axis, self.rows.to(brought.device), brought)
        return self.paths.way.carried(graph, share)

    def _of_masked(self, site: Site, read: Tensor, columns: list[Tensor]) -> Tensor:
        """The whole call for each node, with all other columns at zero."""
        shown = read.new_zeros(len(columns), *read.shape)
        axis = self.axis % read.dim()
        for one, own in zip(shown, columns, strict=True):
            places = own.to(read.device)
            one.index_copy_(axis, places, read.index_select(axis, places))
        made = site.linear(shown.flatten(0, 1), site.weight).index_select(axis, self.rows.to(read.device))
        return made.view(len(columns), len(read), *made.shape[1:])


def _linear(read: Tensor, weight: Tensor, columns: Tensor, _: Site) -> Tensor:
    return torch.einsum("...km,tkm->k...t", read[..., columns], weight[:, columns])


def _conv2d(read: Tensor, weight: Tensor, columns: Tensor, site: Site) -> Tensor:
    """All nodes at once: each is a group of its columns (k, m)."""
    given = {name: one for name, one in site.named(CONV2D).items() if name not in REPLACED}
    filters = weight[:, columns].movedim(1, 0).flatten(0, 1)
    made: Tensor = site.call.function(read[:, columns.flatten()], filters, None, groups=len(columns), **given)
    return made.view(len(made), len(columns), len(weight), *made.shape[2:]).movedim(1, 0)


_BY_COLUMNS = {"linear": _linear, "conv2d": _conv2d}


@dataclass(frozen=True, eq=False)
class ShortcutBundle:
    """The shortcuts into one place of a meeting that end at chosen nodes.

    `ends` (n,) has for each node above the node below from which its shortcut comes, `NONE` where it is not
    chosen. `nodes` (1, ...) has the same for each number that the meeting returns; it is as small as it may
    be to be laid upon that, and upon what is read.
    """

    paths: Shortcut
    ends: Tensor
    nodes: Tensor

    @classmethod
    def to(cls, paths: Shortcut, targets: Tensor) -> ShortcutBundle:
        """Those into the targets."""
        ends = torch.full_like(paths.ends, NONE).index_copy(0, targets, paths.ends[targets])
        return cls(paths, ends, _smallest(ends[paths.places]))

    def begins(self, count: int) -> Tensor:
        """(count,) bool: from which nodes of the layer below there are such paths."""
        nodes = self.nodes.flatten()
        return torch.zeros(count, dtype=torch.bool).index_fill(0, nodes[nodes != NONE], value=True)

    def weakening(self, nodes: Tensor, damping: Tensor) -> Tensor:
        """(k, n, ...): with what that place is multiplied for each node and image; damping (n,) is 1 - f."""
        shape = self.nodes.shape[1:]
        each = nodes.to(damping.device).view(-1, *(1,) * len(shape))
        taken = (self.nodes.to(damping.device) == each).unsqueeze(1)
        return 1 - taken * damping.view(1, -1, *(1,) * len(shape))


def _smallest(nodes: Tensor) -> Tensor:
    """The same with one place along each axis on which all places are alike."""
    for axis in range(1, nodes.dim()):
        if (nodes == nodes.narrow(axis, 0, 1)).all():
            nodes = nodes.narrow(axis, 0, 1)
    return nodes

"""The way from a linear call to the sum into which it flows: what a share of its output is worth there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from workers.causal.computed import constants_of
from workers.causal.nodes import columns
from workers.graph import Call, Graph, Site
from workers.graph.kinds import name_of

GRID = 4  # axes of feature maps (N, C, h, w)


@dataclass(frozen=True, eq=False)
class Way:
    """The affine calls between, in order, and the sum with the place at which the linear call flows in.

    `places` (1, ...) has the index of the node at each place of the sum. `is_plain` says whether a share
    arrives as it is.
    """

    between: tuple[Call, ...]
    meeting: Call
    place: int
    places: Tensor
    is_plain: bool

    @cached_property
    def channels(self) -> Tensor | None:
        """What `channels_of` says of the sum."""
        return channels_of(self.places)

    def carried(self, graph: Graph, share: Tensor) -> Tensor:
        """(M, ...): what a share (M, ...) of the linear call's output adds to the sum."""
        base = torch.zeros_like(share[:1])
        for call in self.between:
            share, base = site_of(graph, call)(share), site_of(graph, call)(base)
        inputs = [share.new_zeros(1, *self.places.shape[1:])] * len(self.meeting.inputs)
        inputs[self.place] = share - base
        return site_of(graph, self.meeting)(*inputs)


def channels_of(places: Tensor) -> Tensor | None:
    """(C,): the node of each channel of feature maps, from that of each place (1, C, h, w).

    None where there are no feature maps, or places of a channel belong to different nodes.
    """
    try:
        return columns(places, 1) if places.dim() == GRID else None
    except ValueError:
        return None


def way_to(graph: Graph, linear: Call, meeting: Call, place: int, places: Tensor) -> Way | None:
    """None where a call on the way needs what only the images tell."""
    between: list[Call] = []
    name = meeting.reads[place]
    while name != linear.name:
        between.insert(0, graph.call[name])
        name = between[0].reads[0]
    held = all(graph.constants.keys() >= constants_of(call) for call in (*between, meeting))
    sums_alone = name_of(meeting.function) == "add" and len(meeting.leaves) == len(meeting.inputs)
    is_plain = not between and sums_alone and linear.shape == meeting.shape
    return Way(tuple(between), meeting, place, places, is_plain) if held else None


def site_of(graph: Graph, call: Call) -> Site:
    """A call with its constants."""
    return call.site({**graph.constants, **dict.fromkeys(call.reads)})

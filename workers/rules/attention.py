"""The attention of a transformer: its calls, its matrices of tokens by tokens, and the grid of the tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.declare import Relevance
from workers.graph import Call, Graph, Kind, Site
from workers.graph.kinds import mixes_places
from workers.probe import Probe
from workers.probe.layouts import MOST_PREFIX_TOKENS, Layout
from workers.probe.propagation import Meter, Reading
from workers.tensors.resampling import upsample

Multiplied = Callable[[Sequence[Tensor], Tensor], Tensor]  # matrices, and a row (R, 1, T) to begin with


@dataclass(frozen=True)
class Attention:
    """The softmaxes that weigh tokens, for S images, and the grid on which these tokens lie."""

    calls: tuple[Call, ...]
    images: int
    grid: tuple[int, int]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the softmaxes, from the image upwards."""
        return tuple(call.name for call in self.calls)

    @property
    def below(self) -> str:
        """The name of the value that the first softmax reads."""
        return self.calls[0].reads[0]

    def by_head(self, call: Call, values: Tensor) -> Tensor:
        """(S, heads, T, T) of what stands at a softmax, where heads may be counted among the images.

        Raises NotExplainable naming a call whose tokens are not those of the grid, with a few before them.
        """
        height, width = self.grid
        *leading, queries, tokens = values.shape
        alone = len(leading) == 1 or leading[:-1] == [self.images]
        if queries != tokens or not alone or not 0 <= tokens - height * width <= MOST_PREFIX_TOKENS:
            raise NotExplainable(
                f"{call.label} is attention over {queries} x {tokens} tokens, as of a window, and not over "
                f"all places of the {height} x {width} grid, so that layers cannot be multiplied"
            )
        return values.reshape(self.images, -1, tokens, tokens)

    def meter(self, read: Callable[[Tensor, Tensor], Tensor]) -> Meter:
        """Notes at each softmax what `read` makes of its weights and of what comes back, (S, heads, T, T)."""

        def note(site: Site, _: Sequence[Tensor], values: Tensor) -> Reading | None:
            if site.call not in self.calls:
                return None
            weights = self.by_head(site.call, values)
            return lambda returned: read(weights, self.by_head(site.call, returned))

        return note

    def explain(self, matrices: Sequence[Tensor], multiplied: Multiplied, size: tuple[int, int]) -> Relevance:
        """The map of what the answer's token has of all others, for matrices (R, T, T) from the image on.

        That token is the class token, or the mean of all where there is none.
        """
        prefix = matrices[0].shape[-1] - self.grid[0] * self.grid[1]
        start = torch.zeros_like(matrices[0][:, :1])
        start[:, :, : 1 if prefix else None] = 1
        rows = multiplied(matrices, start / start.sum(dim=2, keepdim=True)).mT
        maps = Layout("tokens", *self.grid, prefix).to_maps(rows).squeeze(1)
        return Relevance(maps=upsample(maps, size), native_grid=self.grid)


def attention_of(probe: Probe) -> Attention:
    """The attention between the tokens of a network's grid. Raises NotExplainable where there is none."""
    calls = attention_calls(probe.traced.graph())
    if not calls:
        raise NotExplainable("the network has no attention between tokens")
    layout = probe.layer().layout
    return Attention(calls, len(probe.images), (layout.height, layout.width))


def attention_calls(graph: Graph) -> tuple[Call, ...]:
    """Every softmax whose result is multiplied, as a matrix, with values."""
    found: dict[str, Call] = {}
    for call in graph.calls:
        if call.kind is Kind.BILINEAR and call.gate is not None and mixes_places(call.function):
            weights = graph.call[call.reads[call.gate]]
            while weights.kind is Kind.ROUTE:
                weights = graph.call[weights.reads[0]]
            if weights.kind is Kind.SOFTMAX:
                found[weights.name] = weights
    return tuple(found.values())

"""Contextual decomposition: a part of the image followed through the network, beside all the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import AFFINE, Graph, Kind, Site
from workers.graph.passages import Witness
from workers.rules.biases import beside, meets_constants
from workers.rules.tangents import pushed_forward

DECOMPOSED = AFFINE | {Kind.RECTIFIER, Kind.ACTIVATION, Kind.MAX_POOL}


def require_decomposition(graph: Graph) -> None:
    """Raises NotExplainable naming the first call that cannot be decomposed."""
    for call in graph.calls:
        if call.inputs and call.kind not in DECOMPOSED:
            raise NotExplainable(f"the part of an image in {call.label} is not defined")


def decompose(site: Site, parts: Sequence[Any], whole: Witness) -> Any:  # Any: some calls return several
    """b of the output for the parts b (n, ...) of the inputs; the rest c is `whole` less b everywhere.

    Singh et al. 2019, section 3.1: a bias is shared out by |b| and |c|; where both are zero it is c's.
    """
    kind = site.call.kind
    if kind is Kind.LINEAR:
        bias = beside(site.bias, whole.output, site)
        part = site.linear(parts[0], site.weight)
        return part if bias is None else part + bias * _share(part, whole.output - bias - part)
    if kind in (Kind.BATCH_NORM, Kind.SHIFT):
        bias = site(torch.zeros_like(whole.inputs[0]))
        part = site(*parts) - bias
        return part + bias * _share(part, whole.output - bias - part)
    if kind is Kind.MAX_POOL:
        values = whole.inputs[0].expand_as(parts[0]).contiguous()
        return pushed_forward(site, (values,), (parts[0],))  # the part where the maximum of all is
    if kind in (Kind.RECTIFIER, Kind.ACTIVATION):
        return site(*parts) - site(*(torch.zeros_like(one[:1]) for one in parts))
    if kind is Kind.ROUTE and meets_constants(site.call):
        return site(*parts) - site(*(torch.zeros_like(one) for one in parts))
    return site(*parts)


def _share(part: Tensor, rest: Tensor) -> Tensor:
    """|b| / (|b| + |c|), zero where both are."""
    magnitude = part.abs()
    return magnitude / (magnitude + rest.abs()).clamp_min(torch.finfo(part.dtype).tiny)

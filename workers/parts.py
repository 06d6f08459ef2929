"""What a method returned beside its maps, made ready to travel: in words, and as raw float32."""

from __future__ import annotations

import torch
from torch import Tensor

from jobs.result import PartInfo, PartKind
from workers.declare import Part, Relevance

Described = tuple[PartInfo, bytes]

STANDARD_ERROR = "standard-error"


def describe_parts(relevance: Relevance, black: Tensor, white: Tensor) -> list[tuple[Described, ...]]:
    """The parts of each of the R rows; standard errors are one of them.

    `black` and `white` (R, C, 1, 1) are those of the rows' images: in the parts these are 0 and 1.
    """
    parts = relevance.parts
    if relevance.standard_errors is not None:
        parts = (*parts, Part(STANDARD_ERROR, PartKind.MAP, relevance.standard_errors))
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise ValueError(f"two parts have one name among {names}")
    columns = [_described(part, black, white) for part in parts]
    return [tuple(column[row] for column in columns) for row in range(len(relevance.maps))]


def _described(part: Part, black: Tensor, white: Tensor) -> list[Described]:
    values = part.values.detach()
    if part.kind is PartKind.IMAGE:
        values = (values - black) / (white - black)
    values = values.to("cpu", torch.float32)
    finite = torch.where(values.isfinite(), values, 0).flatten(1)
    low, high = (bound.tolist() for bound in finite.aminmax(dim=1))
    return [
        (
            PartInfo(name=part.name, kind=part.kind, shape=tuple(one.shape), min=low[row], max=high[row]),
            one.numpy().astype("<f4").tobytes(),
        )
        for row, one in enumerate(values)
    ]

"""Counterfactual region: the cells of the image that make it another class with those of a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field
from torch import Tensor

from jobs.catalogue import Family, Need
from jobs.result import PartKind, Stop
from workers.declare import LayerParams, Method, Part, Relevance
from workers.perturbation.cell_swaps import Swap, Swapper, Swaps
from workers.perturbation.wishes import said
from workers.probe import Probe
from workers.probe.layers import Layer
from workers.tensors.resampling import upsample


class CounterfactualRegionParams(LayerParams):
    """The layer whose cells are swapped, and how far the search goes."""

    swaps: int = Field(32, ge=1, le=4096, description="Cells that are swapped at most.")
    pairs: int = Field(
        4096,
        ge=16,
        le=1_000_000,
        description="Pairs of cells that are tried for each swap at most: where the two grids have more, "
        "those that the gradient favours.",
    )


def explain(probe: Probe, params: CounterfactualRegionParams) -> Relevance:
    """Which cells of the image would have to look like which cells of the reference.

    min |a|_1  such that  argmax g((1 - a) o f(x) + a o P f(x')) = c'                      (section 3.1)
    with f the network up to a layer, g the rest, a which cells are taken over from the reference x' of class
    c', P where each comes from. Found greedily: the swap with the highest log p(c') first (section 3.2).
    The map has at each swapped cell what the swap added to log p(c').
    Goyal et al.: Counterfactual Visual Explanations, 2019, arXiv:1904.07451.
    """
    layer = probe.layer(params.layer)
    search = _Search(probe, layer, params)
    for row in range(len(probe)):
        if not search.walk(row):
            break
        if row + 1 < len(probe):
            probe.publish(search.describe)
    return search.describe()


class _Search:
    """The rows one after the other, and what is known of them."""

    def __init__(self, probe: Probe, layer: Layer, params: CounterfactualRegionParams) -> None:
        self._probe, self._layer, self._params = probe, layer, params
        self._wanted = probe.answers(probe.references).argmax(dim=1).tolist()
        self._said = said(probe)
        reasons = zip(probe.targets.tolist(), self._said, self._wanted, strict=True)
        self._reasons = [_nothing_to_find(*classes) for classes in reasons]
        self._ways: dict[int, Swaps] = {}
        self._late = False

    def walk(self, row: int) -> bool:
        """From the row's image towards its reference; False when time is up."""
        if self._reasons[row] is not None:
            return True
        wanted, most = self._wanted[row], self._params.swaps
        swapper = Swapper(self._probe, row, self._layer, wanted, pairs=self._params.pairs)
        self._ways[row] = swapper.swaps
        for done in range(most):
            self._late = self._probe.is_late()
            begin, end = ((row + share / most) / len(self._probe) for share in (done, done + 1))
            if self._late or swapper.is_there or not swapper.advance(self._probe.part(begin, end)):
                break
        return not self._late

    def describe(self) -> Relevance:
        """The maps so far."""
        rows = range(len(self._probe))
        ours = self._painted([{swap.cell: swap.gain for swap in self._made(row)} for row in rows])
        theirs = self._painted([{swap.by: swap.gain for swap in self._made(row)} for row in rows])
        found = [self._is_found(row) for row in rows]
        return Relevance(
            maps=ours,
            native_grid=(self._layer.layout.height, self._layer.layout.width),
            layer=self._layer.path,
            stops=(Stop.DEADLINE if self._late else None,) * len(rows),
            not_found=self._probe.targets.new_tensor(found).logical_not(),
            details=tuple({"found": found[row], **self._words(row)} for row in rows),
            parts=(Part("reference-region", PartKind.MAP, theirs),),
        )

    def _is_found(self, row: int) -> bool:
        return row in self._ways and int(self._ways[row].answers.argmax()) == self._wanted[row]

    def _made(self, row: int) -> Sequence[Swap]:
        return self._ways[row].made if row in self._ways else ()

    def _words(self, row: int) -> Mapping[str, Any]:  # Any: words of JSON
        target, width = int(self._probe.targets[row]), self._layer.layout.width
        words: dict[str, Any] = {
            "asked": "away" if target == self._said[row] else "towards",
            "from": self._said[row],
            "to": self._wanted[row],
            "cells": self._layer.layout.height * width,
            "swaps": [
                {"cell": divmod(swap.cell, width), "by": divmod(swap.by, width), "gain": swap.gain}
                for swap in self._made(row)
            ],
        }
        if row not in self._ways:
            return {**words, **({} if self._reasons[row] is None else {"reason": self._reasons[row]})}
        way = self._ways[row]
        chances = way.answers.softmax(dim=0)
        best = int(chances.argmax())
        words["prediction"] = {"index": best, "probability": float(chances[best])}
        words["tried"] = "every pair" if way.is_exhaustive else "the pairs that the gradient favours"
        return {**words, **({} if way.reason is None else {"reason": way.reason})}

    def _painted(self, gains: Sequence[Mapping[int, float]]) -> Tensor:
        """(R, H, W): the gain of each cell of each row, bilinear."""
        grid = self._layer.layout.height, self._layer.layout.width
        cells = self._probe.inputs.new_zeros(len(gains), grid[0] * grid[1])
        for row, of_cell in enumerate(gains):
            for cell, gain in of_cell.items():
                cells[row, cell] = gain
        return upsample(cells.view(-1, *grid), self._probe.input_size)


def _nothing_to_find(target: int, now: int, wanted: int) -> str | None:
    if wanted == now:
        return "the reference has the class of the image"
    if target not in (now, wanted):
        return "the target is neither the class of the image nor that of the reference"
    return None


METHOD = Method(
    name="counterfactual-region",
    title="Counterfactual region",
    version=1,
    family=Family.CONTRAST,
    needs=frozenset({Need.ACTIVATIONS, Need.REFERENCE}),
    signed=False,
    class_specific=True,
    cost=50,
    scales_with="pairs",
    requires="A reference image of another class, and a layer whose output keeps a grid, in a network whose "
    "forward pass can be traced.",
    summary="The cells that make the image another class when cells of a reference image replace them.",
    weaknesses=(
        "Another reference gives another region.",
        "No finer than the grid of its layer; a cell of a deep layer has seen far more than its place.",
        "Swapped features may be unlike those of any image.",
    ),
    reference="Goyal et al. 2019, arXiv:1904.07451",
    params=CounterfactualRegionParams,
    explain=explain,
)

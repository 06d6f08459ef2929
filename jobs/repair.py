"""What a repair is: numbers of a model's weights that are set to zero, which makes another model of it.

Source of the idea: "Causal Analysis for Robust Interpretability of Neural Networks", section 6.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

Indices = tuple[int, ...]


class WeightCut(BaseModel):
    """Numbers of a weight that are zero: these rows (outputs) at these columns (inputs within the group)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: str = Field(description="Dotted path of the weight in the network.")
    rows: Indices
    columns: Indices


class ModelCuts(BaseModel):
    """Cuts, and the digest of the model whose weights they are cut out of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = Field(description="Digest of the model that is repaired.")
    cuts: tuple[WeightCut, ...]

    @property
    def digest(self) -> str:
        """Of the repaired model: `sha256:` and 64 hex digits over the digest of the base and the cuts."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def merged(cuts: Iterable[WeightCut]) -> tuple[WeightCut, ...]:
    """The same cuts in one order, each index once, and those of equal rows or of equal columns as one."""
    by_rows: defaultdict[tuple[str, Indices], set[int]] = defaultdict(set)
    for cut in cuts:
        by_rows[cut.weight, tuple(sorted(set(cut.rows)))].update(cut.columns)
    by_columns: defaultdict[tuple[str, Indices], set[int]] = defaultdict(set)
    for (weight, rows), columns in by_rows.items():
        by_columns[weight, tuple(sorted(columns))].update(rows)
    found = (
        WeightCut(weight=weight, rows=tuple(sorted(rows)), columns=columns)
        for (weight, columns), rows in by_columns.items()
        if rows and columns
    )
    return tuple(sorted(found, key=lambda cut: (cut.weight, cut.rows, cut.columns)))


def n_indices(cuts: Iterable[WeightCut]) -> int:
    """How many rows and columns are named, which is what cuts take to carry."""
    return sum(len(cut.rows) + len(cut.columns) for cut in cuts)

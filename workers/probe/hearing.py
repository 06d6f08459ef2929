"""Maps on trial beside those that others make of the same rows: variants, other methods, other networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from workers.declare import Relevance
from workers.probe.circumstances import Circumstances
from workers.probe.explainers import Explainer, Jurors, maps_at
from workers.probe.opinions import Opinion, Opinions, alone
from workers.probe.passes import Pair, Pass
from workers.probe.rows import Probe


class Hearing:
    """R rows, the `maps` (R, H, W) that an explainer made for them, and what others make of them."""

    def __init__(
        self,
        shared: Pass,
        rows: Sequence[Pair],
        probe: Probe,
        relevance: Relevance,
        explainer: Explainer,
        *,
        chunk_rows: int,
        circumstances: Circumstances,
        masks: Tensor | None = None,
        jurors: Jurors = lambda _: None,
        opinions: Opinions = alone,
    ) -> None:
        """`rows` are the probe's: the image of the pass and the target of each; `masks` as below.

        `jurors` may raise NotExplainable where a method cannot explain the network, `opinions` any JobFailed
        where another network cannot be asked.
        """
        self._shared, self._rows = shared, list(rows)
        self._chunk_rows = chunk_rows
        self._circumstances = unpublished(circumstances)
        self.probe, self.relevance, self.explainer = probe, relevance, explainer
        self.maps = relevance.maps.detach()
        self._masks = None if masks is None else masks.to(self.maps.device)
        self._jurors, self._of_jurors = jurors, dict[str, Tensor]()
        self._opinions, self._of_models = opinions, dict[str, Sequence[Opinion]]()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def masks(self) -> Tensor:
        """(R, H, W) bool, where each row's finding lies. Raises NotExplainable naming the field `mask`."""
        if self._masks is None:
            raise NotExplainable.about("mask", "a mask is needed, which the metric compares the map with")
        return self._masks

    def by_variants(self, most: int) -> Mapping[str, Tensor]:
        """(R, H, W) by name: what the first `most` variants of the explainer make of the rows.

        A row that a variant cannot explain has no numbers.
        """
        chosen = list(islice(self.explainer.variants(), most))
        parts = self._parts(len(chosen))
        return {name: self._made_by(one, part) for (name, one), part in zip(chosen, parts, strict=True)}

    def by_methods(self, names: Sequence[str]) -> Mapping[str, Tensor]:
        """(R, H, W) by name: what other methods make of the rows, with the parameters of their defaults.

        They are made once for this trial and those beside it. The method on trial is left out. A row that a
        method cannot explain has no numbers.
        """
        missing = [name for name in names if name not in self._of_jurors]
        for name, part in zip(missing, self._parts(len(missing)), strict=True):
            try:
                juror = self._jurors(name)
            except NotExplainable:
                self._of_jurors[name] = torch.full_like(self.maps, torch.nan)
                continue
            if juror is not None:
                self._of_jurors[name] = self._made_by(juror, part)
        return {name: self._of_jurors[name] for name in names if name in self._of_jurors}

    def by_models(self, names: Sequence[str]) -> Mapping[str, Sequence[Opinion]]:
        """What other networks say of each row, by name; asked once for this trial and those beside it.

        Raises JobFailed where one of them cannot be asked.
        """
        missing = [name for name in names if name not in self._of_models]
        for name, part in zip(missing, self._parts(len(missing)), strict=True):
            self._of_models[name] = self._opinions(name, part)
        return {name: self._of_models[name] for name in names}

    def _parts(self, count: int) -> list[Circumstances]:
        return [self._circumstances.part(one / count, (one + 1) / count) for one in range(count)]

    def _made_by(self, explainer: Explainer, circumstances: Circumstances) -> Tensor:
        """(R, H, W): all rows together, or, if that is refused, one by one."""
        maps = torch.full_like(self.maps, torch.nan)
        rows = list(range(len(self)))
        for some in (rows, *([row] for row in rows if len(rows) > 1)):
            try:
                maps[some] = self._explained(
                    explainer,
                    self.probe.inputs[some],
                    some,
                    [self._rows[row] for row in some],
                    circumstances=circumstances,
                ).to(maps)
            except NotExplainable:
                continue
            if len(some) == len(self):
                break
        return maps

    def _explained(
        self,
        explainer: Explainer,
        inputs: Tensor,
        of: Sequence[int],
        pairs: Sequence[Pair],
        *,
        circumstances: Circumstances,
        network: nn.Module | None = None,
    ) -> Tensor:
        """(n, H, W): maps of images and targets `pairs` at inputs (n, C, H, W) that belong to rows `of`."""
        return maps_at(
            explainer,
            self._shared,
            pairs,
            inputs,
            seeds=[self.probe.seeds[row] for row in of],
            references=self.probe.references[list(of)] if self.probe.has_references else None,
            graphs=self.probe.graphs_of(of),
            chunk_rows=self._chunk_rows,
            circumstances=circumstances,
            network=network,
        )


def unpublished(circumstances: Circumstances) -> Circumstances:
    """The same for maps that are nobody's drafts."""
    return replace(circumstances, publish=lambda _: None)

"""Maps on trial: what a metric may ask of the network, and of the method elsewhere, to judge R maps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from workers.declare import Relevance
from workers.probe.chunks import chunks, pace_of
from workers.probe.circumstances import Circumstances
from workers.probe.explainers import Explainer, Jurors, maps_at
from workers.probe.passes import Pair, Pass
from workers.probe.rows import Output, Probe
from workers.probe.twins import Storey, storeys_of

PerturbRows = Callable[[slice, Tensor], Tensor]  # (rows, steps) -> (n, s, C, H, W)


@dataclass(frozen=True)
class Elsewhere:
    """Maps (n, s, H, W) of rows at the images (n, s, C, H, W) of some steps, as the explainer makes them."""

    rows: slice
    steps: slice
    inputs: Tensor
    maps: Tensor


class Trial:
    """R rows, the `maps` (R, H, W) that an explainer made for them, and the road to more of both.

    What one row is told does not depend on the others.
    """

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
    ) -> None:
        """`rows` are the probe's: the image of the pass and the target of each; `masks` as below.

        `jurors` may raise NotExplainable where a method cannot explain the network.
        """
        self._shared, self._rows = shared, list(rows)
        self._chunk_rows = chunk_rows
        self._circumstances = replace(circumstances, publish=lambda _: None)  # these maps are nobody's drafts
        self.probe, self.relevance, self.explainer = probe, relevance, explainer
        self.maps = relevance.maps.detach()
        self._masks = None if masks is None else masks.to(self.maps.device)
        self._jurors, self._of_jurors = jurors, dict[str, Tensor]()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def masks(self) -> Tensor:
        """(R, H, W) bool, where each row's finding lies. Raises NotExplainable naming the field `mask`."""
        if self._masks is None:
            raise NotExplainable.about("mask", "a mask is needed, which the metric compares the map with")
        return self._masks

    def beside(self, explainer: Explainer, circumstances: Circumstances) -> Trial:
        """The same rows with the maps of a peer; what jurors said is known to both."""
        trial = Trial(
            self._shared,
            self._rows,
            self.probe,
            explainer.explain(self.probe),
            explainer,
            chunk_rows=self._chunk_rows,
            circumstances=circumstances,
            masks=self._masks,
            jurors=self._jurors,
        )
        trial._of_jurors = self._of_jurors
        return trial

    @property
    def network(self) -> nn.Module:
        """The network that is explained; it is read, never changed."""
        return self._shared.network

    @property
    def storeys(self) -> tuple[Storey, ...]:
        """The layers with weights, from the input to the output."""
        return storeys_of(self._shared.network, self._shared.images)

    def part(self, begin: float, end: float) -> Trial:
        """The same for a part of the work, from the share `begin` of it to the share `end`."""
        trial = copy(self)
        trial._circumstances = self._circumstances.part(begin, end)
        return trial

    def generators(self, word: str) -> list[torch.Generator]:
        """For each row a fresh source of randomness, on the CPU, that follows from its seed and a word."""
        return [torch.Generator().manual_seed(_number(f"{word} {seed}")) for seed in self.probe.seeds]

    def scores(self, perturb: PerturbRows, count: int, *, output: Output = "logit") -> Tensor:
        """(R, count): what each row's target gets for `count` changed versions of its image, of its own.

        `perturb(rows, steps)` makes the versions `steps` (s,) of `self.probe.inputs[rows]`: (n, s, C, H, W).
        """
        images = self._shared.images
        result = images.new_zeros(len(self), count)
        targets = self.probe.targets[:, None, None]
        for rows, steps in self._blocks(count, "row scores"):
            with torch.no_grad():
                inputs = perturb(rows, torch.arange(steps.start, steps.stop, device=images.device))
                logits = self._shared.forward(inputs.flatten(0, 1)).to(result.dtype)
            answers = logits.softmax(dim=1) if output == "probability" else logits
            answers = answers.view(*inputs.shape[:2], -1)
            chosen = targets[rows].expand(-1, answers.shape[1], 1)
            result[rows, steps] = answers.gather(2, chosen).squeeze(2)
        return result

    def unchanged(self, rows: slice, steps: Tensor) -> Tensor:
        """(n, s, C, H, W): the images of rows as they are, for `elsewhere`."""
        return self.probe.inputs[rows].unsqueeze(1).expand(-1, len(steps), -1, -1, -1)

    def elsewhere(
        self,
        points: PerturbRows,
        count: int,
        *,
        network: nn.Module | None = None,
        targets: Sequence[int] | None = None,
    ) -> Iterator[Elsewhere]:
        """The maps that the explainer makes of each row's target at `count` images of its own, part by part.

        `points(rows, steps)` makes the images `steps` (s,) of `self.probe.inputs[rows]`: (n, s, C, H, W).
        Seeds and references are the rows' own. `network` stands in for the one that is explained, a twin of
        it; `targets` are other classes, one for each of the R rows.
        """
        done = 0
        classes = self.probe.targets.tolist() if targets is None else targets
        for rows, steps in self._blocks(count, ("maps", self.explainer.recording)):
            inputs = points(rows, torch.arange(steps.start, steps.stop, device=self._shared.images.device))
            n_maps = inputs.shape[0] * inputs.shape[1]
            share = self._circumstances.part(
                done / (len(self) * count), (done + n_maps) / (len(self) * count)
            )
            of = torch.arange(rows.start, rows.stop).repeat_interleave(inputs.shape[1]).tolist()
            pairs = [(self._rows[row][0], classes[row]) for row in of]
            maps = self._explained(
                self.explainer, inputs.flatten(0, 1), of, pairs, circumstances=share, network=network
            )
            done += n_maps
            yield Elsewhere(rows, steps, inputs, maps.view(*inputs.shape[:2], *maps.shape[1:]))

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
            chunk_rows=self._chunk_rows,
            circumstances=circumstances,
            network=network,
        )

    def _blocks(self, count: int, kind: object) -> Iterator[tuple[slice, slice]]:
        """Blocks of the rows, and of `count` steps of each."""
        self._shared.prepare()  # else the first chunk's time would not be its own
        return chunks(
            len(self),
            count,
            most=self._chunk_rows,
            pace=pace_of(self._shared.network, (kind, self._shared.images.shape[1:])),
            checkpoint=self._circumstances.checkpoint,
        )


def _number(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") >> 1

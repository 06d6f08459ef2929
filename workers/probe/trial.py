"""Maps on trial: what a metric may ask of the network, and of the method elsewhere, to judge R maps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from workers.declare import Relevance
from workers.probe.chunks import chunks, pace_of
from workers.probe.circumstances import Circumstances
from workers.probe.passes import Pair, Pass, Recording
from workers.probe.rows import Output, Probe
from workers.probe.twins import Storey, storeys_of

NOTHING = Recording()

PerturbRows = Callable[[slice, Tensor], Tensor]  # (rows, steps) -> (n, s, C, H, W)


@dataclass(frozen=True)
class Explainer:
    """What made the maps: a method with its parameters, and what a pass must record for it."""

    explain: Callable[[Probe], Relevance]
    recording: Recording = NOTHING


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
    ) -> None:
        """`rows` are the probe's: the image of the pass and the target of each."""
        self._shared, self._rows = shared, list(rows)
        self._chunk_rows = chunk_rows
        self._circumstances = replace(circumstances, publish=lambda _: None)  # these maps are nobody's drafts
        self.probe, self.relevance, self.explainer = probe, relevance, explainer
        self.maps = relevance.maps.detach()

    def __len__(self) -> int:
        return len(self._rows)

    def beside(self, explainer: Explainer, circumstances: Circumstances) -> Trial:
        """The same rows with the maps of a peer."""
        return Trial(
            self._shared,
            self._rows,
            self.probe,
            explainer.explain(self.probe),
            explainer,
            chunk_rows=self._chunk_rows,
            circumstances=circumstances,
        )

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
            maps = self._explained(inputs.flatten(0, 1), of, [classes[row] for row in of], share, network)
            done += n_maps
            yield Elsewhere(rows, steps, inputs, maps.view(*inputs.shape[:2], *maps.shape[1:]))

    def _explained(
        self,
        inputs: Tensor,
        of: Sequence[int],
        targets: Sequence[int],
        circumstances: Circumstances,
        network: nn.Module | None,
    ) -> Tensor:
        """(n, H, W): maps of targets (n,) at inputs (n, C, H, W) that belong to rows `of`."""
        images = [self._rows[row][0] for row in of]
        shared = Pass(
            network or self._shared.network,
            inputs,
            self.explainer.recording,
            default_layer=self._shared.default_layer,
            black=self._shared.black[images],
            white=self._shared.white[images],
            patches=self._shared.patches,
            stands_for=self._shared.network,
        )
        shared.expect(list(enumerate(targets)))
        probe = Probe(
            shared,
            range(len(of)),
            targets,
            seeds=[self.probe.seeds[row] for row in of],
            chunk_rows=self._chunk_rows,
            circumstances=circumstances,
            references=self.probe.references[list(of)] if self.probe.has_references else None,
        )
        return self.explainer.explain(probe).maps.detach()

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

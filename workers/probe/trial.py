"""Maps on trial: what a metric may ask of the network, and of the method elsewhere, to judge R maps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workers.probe.chunks import chunks, pace_of
from workers.probe.circumstances import Circumstances
from workers.probe.explainers import Explainer
from workers.probe.hearing import Hearing, unpublished
from workers.probe.rows import Output
from workers.probe.twins import Storey, storeys_of

PerturbRows = Callable[[slice, Tensor], Tensor]  # (rows, steps) -> (n, s, C, H, W)


@dataclass(frozen=True)
class Elsewhere:
    """Maps (n, s, H, W) of rows at the images (n, s, C, H, W) of some steps, as the explainer makes them."""

    rows: slice
    steps: slice
    inputs: Tensor
    maps: Tensor


class Trial(Hearing):
    """R rows, the `maps` (R, H, W) that an explainer made for them, and the road to more of both.

    What one row is told does not depend on the others.
    """

    def beside(self, explainer: Explainer, circumstances: Circumstances) -> Trial:
        """The same rows with the maps of a peer; what others said of the rows is known to both."""
        trial = copy(self)
        trial._circumstances = unpublished(circumstances)
        trial.explainer, trial.relevance = explainer, explainer.explain(self.probe)
        trial.maps = trial.relevance.maps.detach()
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
        Seeds, references and graphs are the rows' own. `network` stands in for the one that is explained, a
        twin of it; `targets` are other classes, one for each of the R rows.
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

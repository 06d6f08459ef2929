"""The only road from a method to the network: rows of images with targets, on a pass that all share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from workers.probe.chunks import chunks, pace_of
from workers.probe.circumstances import Circumstances, Draft
from workers.probe.layers import Layer
from workers.probe.leaves import Leaf, Objective, PathGradients, Slopes, slopes_of
from workers.probe.passes import Pair, Pass
from workers.probe.rounds import rounds
from workers.probe.traced import TracedRows

Perturb = Callable[[slice, Tensor], Tensor]  # (images, steps) -> (n, s, C, H, W)
ALONE = Circumstances()


class Probe:
    """R rows, each one image with one target and one seed, on a shared `Pass`.

    Methods see `images`, the S distinct images of these rows (an image that is asked for with two seeds
    counts twice); everything that does not depend on the target is computed once for each of them.
    """

    def __init__(
        self,
        shared: Pass,
        image_of_row: Sequence[int],
        targets: Sequence[int],
        *,
        seeds: Sequence[int] | None = None,
        chunk_rows: int = 32,
        circumstances: Circumstances = ALONE,
    ) -> None:
        """`image_of_row` indexes the images of the pass; at most `chunk_rows` inputs go into one forward."""
        self._shared = shared
        self._pairs: list[Pair] = list(zip(image_of_row, targets, strict=True))
        self.seeds = tuple(seeds) if seeds is not None else (0,) * len(self._pairs)
        self._chunk_rows, self._circumstances = chunk_rows, circumstances
        self._checkpoint = circumstances.checkpoint
        keys = list(zip(image_of_row, self.seeds, strict=True))
        order = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        self._sources = torch.tensor([image for image, _ in order], device=self._device)
        self._image_seeds = [seed for _, seed in order]
        self.image_of_row = torch.tensor([order[key] for key in keys], device=self._device)
        self.targets = torch.tensor(list(targets), device=self._device)

    def __len__(self) -> int:
        return len(self._pairs)

    def rows(self, subset: Tensor) -> Probe:
        """The same pass seen by some of the rows only; `subset` holds their indices (r,)."""
        return self._seen_by(subset.tolist(), self._circumstances)

    def part(self, begin: float, end: float) -> Probe:
        """The same rows for a part of the work, from the share `begin` of it to the share `end`."""
        return self._seen_by(range(len(self)), self._circumstances.part(begin, end))

    def publish(self, draft: Draft) -> None:
        """Show the maps of all rows as they are so far to whoever follows the work."""
        self._circumstances.publish(draft)

    def is_late(self) -> bool:
        """Whether a method that can end early should do so now."""
        return self._circumstances.is_late()

    @property
    def images(self) -> Tensor:
        """(S, C, H, W), in the model's units."""
        return self._shared.images[self._sources]

    @property
    def black(self) -> Tensor:
        """(S, C, 1, 1), black in the model's units."""
        return self._shared.black[self._sources]

    @property
    def white(self) -> Tensor:
        """(S, C, 1, 1), white in the model's units."""
        return self._shared.white[self._sources]

    @property
    def inputs(self) -> Tensor:
        """(R, C, H, W), the image of each row."""
        return self.images[self.image_of_row]

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self._shared.images.shape[2], self._shared.images.shape[3]

    @property
    def logits(self) -> Tensor:
        """(S, K)."""
        return self._shared.logits[self._sources]

    @property
    def target_logits(self) -> Tensor:
        """(R,), the logit of each row's target."""
        return self.logits[self.image_of_row, self.targets]

    @property
    def target_probabilities(self) -> Tensor:
        """(R,), the probability after softmax of each row's target."""
        return self.logits.softmax(dim=1)[self.image_of_row, self.targets]

    def layer(self, name: str | None = None) -> Layer:
        """The layer of a dotted path, or the default one. Raises NotExplainable naming the field `layer`."""
        return self._shared.layer(name)

    def activations(self, layer: Layer) -> Tensor:
        """(R, C, h, w), the output of a layer on its grid."""
        self._checkpoint(0.0)
        return self._shared.activations(layer)[self._sources[self.image_of_row]]

    def gradients(self, layer: Layer) -> Tensor:
        """(R, C, h, w), the gradient of each row's logit at the output of a layer."""
        self._checkpoint(0.0)
        return self._shared.gradients(layer, self._pairs)

    def pulled(self, layer: Layer, cotangents: Tensor) -> Tensor:
        """(R, C, h, w), the gradient at a layer of each row's logits weighed by cotangents (R, K)."""
        self._checkpoint(0.0)
        return self._shared.pulled(layer, self._sources[self.image_of_row].tolist(), cotangents)

    def input_gradients(self) -> Tensor:
        """(R, C, H, W), the gradient of each row's logit at its image."""
        self._checkpoint(0.0)
        return self._shared.gradients(None, self._pairs)

    def scores(
        self, perturb: Perturb, count: int, *, output: Literal["logit", "probability"] = "logit"
    ) -> Tensor:
        """(R, count): what each row's target gets for `count` changed versions of its image.

        `perturb(images, steps)` makes the versions `steps` (s,) of `self.images[images]`: (n, s, C, H, W).
        Every target of an image is read from the same forwards.
        """
        result = self._shared.images.new_zeros(len(self), count)
        for images, steps in self._chunks(count):
            with torch.no_grad():
                logits = self._forward(perturb, images, steps)
            answers = logits.softmax(dim=2) if output == "probability" else logits
            rows = self._rows_of(images)
            result[rows, steps] = answers[self.image_of_row[rows] - images.start, :, self.targets[rows]]
        return result

    def gradients_at(self, points: Perturb, count: int) -> Iterator[PathGradients]:
        """The gradients of each row's logit at `count` points of its own, part by part.

        `points(images, steps)` makes the points `steps` (s,) of `self.images[images]`: (n, s, C, H, W).
        Rows that differ in the target only share the forwards; the parts of a row come in order of steps.
        """
        for images, steps in self._chunks(count):
            with torch.inference_mode(False), torch.no_grad():
                numbers = torch.arange(steps.start, steps.stop, device=self._device)
                at = points(images, numbers)
            leaf = Leaf(at.flatten(0, 1), self._shared.forward)
            groups = self._rows_by_target(images)
            for rows in groups:
                chosen = self.image_of_row[rows] - images.start
                places = chosen[:, None] * len(numbers) + (numbers - steps.start)
                targets = self.targets[rows, None].expand_as(places)
                gradients = leaf.gradients(places, targets, last=rows is groups[-1])
                yield PathGradients(rows, steps, gradients.view_as(at)[chosen])

    def gradients_of(self, inputs: Tensor, *, done: float = 0.0) -> Tensor:
        """(R, C, H, W): the gradient of each row's logit at an input of its own, of (R, C, H, W).

        Each row has a pass to itself, so that not even the rounding depends on the other rows. `done` is the
        share of the method's work that lies behind.
        """
        first = torch.zeros(1, dtype=torch.long, device=self._device)
        parts = []
        for row in range(len(self)):
            self._checkpoint(done)
            leaf = Leaf(inputs[row : row + 1], self._shared.forward)
            parts.append(leaf.gradients(first, self.targets[row : row + 1], last=True))
        return torch.cat(parts)

    def answers(self, inputs: Tensor) -> Tensor:
        """(n, K): the logits of any inputs (n, C, H, W), whatever the rows."""
        self._checkpoint(0.0)
        with torch.no_grad():
            parts = [self._shared.forward(part) for part in torch.split(inputs, self._chunk_rows)]
        return torch.cat(parts).to(self._shared.images.dtype)

    def slopes(self, inputs: Tensor, rows: Tensor, objective: Objective) -> Slopes:
        """What an objective says of inputs (n, C, H, W) that belong to rows (n,), and its gradients there.

        The objective makes (m,) values of logits (m, K) and their rows (m,), each of its own input's alone.
        """
        parts = []
        for start in range(0, len(inputs), self._chunk_rows):
            self._checkpoint(start / len(inputs))
            some = slice(start, start + self._chunk_rows)
            parts.append(slopes_of(inputs[some], rows[some], objective, self._shared.forward))
        return Slopes.joined(parts)

    def generators(self) -> list[torch.Generator]:
        """For each of `images` a fresh source of noise, the one that `generator` gives for its rows."""
        return [torch.Generator().manual_seed(seed) for seed in self._image_seeds]

    @cached_property
    def traced(self) -> TracedRows:
        """The same rows on the traced graph, where rules propagate."""
        pairs = list(zip(self.image_of_row.tolist(), self.targets.tolist(), strict=True))
        most, check = self._chunk_rows, self._checkpoint
        return TracedRows(self._shared, self._sources, pairs, chunk_rows=most, checkpoint=check)

    def generator(self, row: int) -> torch.Generator:
        """A fresh source of noise for a row, on the CPU so that every device sees the same; by seed alone."""
        return torch.Generator().manual_seed(self.seeds[row])

    @property
    def _device(self) -> torch.device:
        return self._shared.images.device

    def _forward(self, perturb: Perturb, images: slice, steps: slice) -> Tensor:
        inputs = perturb(images, torch.arange(steps.start, steps.stop, device=self._device))
        logits = self._shared.forward(inputs.flatten(0, 1)).to(self._shared.images.dtype)
        return logits.view(*inputs.shape[:2], -1)

    def _chunks(self, count: int) -> Iterator[tuple[slice, slice]]:
        self._shared.prepare()  # else the first chunk's time would not be its own
        pace = pace_of(self._shared.network, self._shared.images.shape[1:])
        most, check = self._chunk_rows, self._checkpoint
        return chunks(len(self._sources), count, most=most, pace=pace, checkpoint=check)

    def _seen_by(self, rows: Sequence[int], circumstances: Circumstances) -> Probe:
        pairs, seeds = [self._pairs[row] for row in rows], [self.seeds[row] for row in rows]
        images, targets = [image for image, _ in pairs], [target for _, target in pairs]
        most = self._chunk_rows
        return Probe(self._shared, images, targets, seeds=seeds, chunk_rows=most, circumstances=circumstances)

    def _rows_of(self, images: slice) -> Tensor:
        inside: Tensor = (self.image_of_row >= images.start) & (self.image_of_row < images.stop)
        return inside.nonzero().flatten()

    def _rows_by_target(self, images: slice) -> list[Tensor]:
        """The rows of some images in groups, each with any image at most once."""
        rows = self._rows_of(images)
        return [rows[group] for group in rounds(self.image_of_row[rows].tolist())]

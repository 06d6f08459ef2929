"""The only road from a method to the network, on a pass that all share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from jobs.excerpts import GraphExcerpt
from workers.probe.chunks import Pace, chunks, pace_of, stretches
from workers.probe.circumstances import Circumstances, Draft
from workers.probe.covered import Covered
from workers.probe.layers import Layer
from workers.probe.leaves import Leaf, Objective, PathGradients, Slopes, gradients_one_by_one, slopes_in_parts
from workers.probe.passes import Pass
from workers.probe.subjects import Subjects
from workers.probe.traced import TracedRows
from workers.tensors.windows import Windows

Perturb = Callable[[slice, Tensor], Tensor]  # (images, steps) -> (n, s, C, H, W)
Answer = Callable[[slice, slice], Tensor]  # (images, steps) -> logits (n, s, K)
Output = Literal["logit", "probability"]
ALONE = Circumstances()
WINDOWS_TOGETHER = 32  # of each only a part is computed again


class Probe(Subjects):
    """The network, as rows of images with targets see it; what one row computes, others need not."""

    def __init__(
        self,
        shared: Pass,
        image_of_row: Sequence[int],
        targets: Sequence[int],
        *,
        seeds: Sequence[int] | None = None,
        chunk_rows: int = 32,
        circumstances: Circumstances = ALONE,
        references: Tensor | None = None,
        graphs: Sequence[Sequence[GraphExcerpt]] | None = None,
    ) -> None:
        """`image_of_row` indexes the images of the pass; at most `chunk_rows` inputs go into one forward.

        `references` is (R, C, H, W) in the model's units, a second image of each row; `graphs` are the causal
        graphs that each row may use, one of a class.
        """
        super().__init__(shared, image_of_row, targets, seeds, references=references, graphs=graphs)
        self._chunk_rows, self._circumstances = chunk_rows, circumstances
        self._checkpoint = circumstances.checkpoint

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
        """(R, C, h, w): the gradient at a layer of a weighted sum of each row's logits, weights (R, K)."""
        self._checkpoint(0.0)
        return self._shared.pulled(layer, [image for image, _ in self._pairs], cotangents)

    def input_gradients(self) -> Tensor:
        """(R, C, H, W), the gradient of each row's logit at its image."""
        self._checkpoint(0.0)
        return self._shared.gradients(None, self._pairs)

    def scores(self, perturb: Perturb, count: int, *, output: Output = "logit") -> Tensor:
        """(R, count): what each row's target gets for `count` changed versions of its image.

        `perturb(images, steps)` makes the versions `steps` (s,) of `self.images[images]`: (n, s, C, H, W).
        Every target of an image is read from the same forwards.
        """

        def answers(images: slice, steps: slice) -> Tensor:
            inputs = perturb(images, torch.arange(steps.start, steps.stop, device=self._device))
            return self._shared.forward(inputs.flatten(0, 1)).view(*inputs.shape[:2], -1)

        return self._scores(answers, count, output)

    def scores_of_windows(
        self, windows: Windows, baselines: Tensor, *, output: Output = "logit"
    ) -> tuple[Tensor, Tensor]:
        """(R, 1) and (R, windows): what each row's target gets for its image, and with each window covered.

        The `baselines` are (S, C, H, W). Where it is cheaper, only what a window can reach is computed again.
        """
        together = max(self._chunk_rows, WINDOWS_TOGETHER)
        covered = Covered(self._shared, self.images, baselines, windows, together=together)
        scores = self._scores(covered.answers, len(windows), output, kind="windows")
        return self._scores(covered.whole, 1, output), scores

    def _scores(self, answer: Answer, count: int, output: Output, kind: str = "scores") -> Tensor:
        result = self._shared.images.new_zeros(len(self), count)
        for images, steps in self._chunks(count, kind):
            with torch.no_grad():
                logits = answer(images, steps).to(result.dtype)
            answers = logits.softmax(dim=2) if output == "probability" else logits
            rows = self._shown.rows(images)
            result[rows, steps] = answers[self.image_of_row[rows] - images.start, :, self.targets[rows]]
        return result

    def gradients_at(self, points: Perturb, count: int) -> Iterator[PathGradients]:
        """The gradients of each row's logit at `count` points of its own, part by part.

        `points(images, steps)` makes the points `steps` (s,) of `self.images[images]`: (n, s, C, H, W).
        Rows that differ in the target only share the forwards; the parts of a row come in order of steps.
        """
        for images, steps in self._chunks(count, "gradients"):
            with torch.inference_mode(False), torch.no_grad():
                numbers = torch.arange(steps.start, steps.stop, device=self._device)
                at = points(images, numbers)
            leaf = Leaf(at.flatten(0, 1), self._shared.forward)
            groups = self._shown.rows_by_target(images)
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
        check = self._checkpoint
        return gradients_one_by_one(inputs, self.targets, self._shared.forward, lambda: check(done))

    def answers(self, inputs: Tensor) -> Tensor:
        """(n, K): the logits of any inputs (n, C, H, W), whatever the rows."""
        found = []
        for some in self._stretches(len(inputs), "answers"):
            with torch.no_grad():
                found.append(self._shared.forward(inputs[some]))
        return torch.cat(found).to(self._shared.images.dtype)

    def slopes(self, inputs: Tensor, rows: Tensor, objective: Objective) -> Slopes:
        """What an objective says of inputs (n, C, H, W) that belong to rows (n,), and its gradients there.

        The objective makes (m,) values of logits (m, K) and their rows (m,), each of its own input's alone.
        """
        some = self._stretches(len(inputs), "slopes")
        return slopes_in_parts(inputs, rows, objective, self._shared.forward, some)

    @cached_property
    def traced(self) -> TracedRows:
        """The same rows on the traced graph, where rules propagate."""
        return TracedRows(
            self._shared,
            self._sources,
            list(zip(self.image_of_row.tolist(), self.targets.tolist(), strict=True)),
            chunk_rows=self._chunk_rows,
            checkpoint=self._checkpoint,
        )

    def _chunks(self, count: int, kind: str) -> Iterator[tuple[slice, slice]]:
        """Blocks of the images, and of `count` steps of each."""
        return chunks(
            len(self._sources),
            count,
            most=max(self._chunk_rows, WINDOWS_TOGETHER) if kind == "windows" else self._chunk_rows,
            pace=self._pace(kind),
            checkpoint=self._checkpoint,
        )

    def _stretches(self, count: int, kind: str) -> Iterator[slice]:
        """Of any `count` inputs."""
        return stretches(count, most=self._chunk_rows, pace=self._pace(kind), checkpoint=self._checkpoint)

    def _pace(self, kind: str) -> Pace:
        self._shared.prepare()  # else the first chunk's time would not be its own
        return pace_of(self._shared.network, (kind, self._shared.images.shape[1:]))

    def _seen_by(self, rows: Sequence[int], circumstances: Circumstances) -> Probe:
        return Probe(
            self._shared,
            [self._pairs[row][0] for row in rows],
            [self._pairs[row][1] for row in rows],
            seeds=[self.seeds[row] for row in rows],
            chunk_rows=self._chunk_rows,
            circumstances=circumstances,
            references=None if self._references is None else self._references[list(rows)],
            graphs=self.graphs_of(rows),
        )

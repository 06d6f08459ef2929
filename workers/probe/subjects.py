"""What a method may see of R rows: their images, targets and seeds, and what the pass says of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from jobs.excerpts import GraphExcerpt
from workers.probe.passes import Pair, Pass
from workers.probe.shown import Shown
from workers.tensors.patch_gaussians import PatchGaussian


class Subjects:
    """R rows, each one image with one target and one seed, on a shared `Pass`.

    `images` are the S distinct images of these rows (an image that is asked for with two seeds counts
    twice); everything that does not depend on the target is computed once for each of them.
    """

    def __init__(
        self,
        shared: Pass,
        image_of_row: Sequence[int],
        targets: Sequence[int],
        seeds: Sequence[int] | None,
        *,
        references: Tensor | None,
        graphs: Sequence[Sequence[GraphExcerpt]] | None,
    ) -> None:
        """`image_of_row` indexes the images of the pass.

        `references` is (R, C, H, W), if there are any; `graphs` has for each of the R rows those of the
        classes that there are.
        """
        self._shared = shared
        self._pairs: list[Pair] = list(zip(image_of_row, targets, strict=True))
        self.seeds = tuple(seeds) if seeds is not None else (0,) * len(self._pairs)
        self._references = None if references is None else references.detach().to(shared.images)
        self._graphs = None if graphs is None else [tuple(some) for some in graphs]
        self._shown = Shown(image_of_row, self.seeds, self._device)
        self._sources, self.image_of_row = self._shown.sources, self._shown.of_row
        self.targets = torch.tensor(list(targets), device=self._device)

    def __len__(self) -> int:
        return len(self._pairs)

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
    def patches(self) -> PatchGaussian | None:
        """What is known of patches of such images, in the model's units; None where nothing comes with it."""
        return self._shared.patches

    @property
    def inputs(self) -> Tensor:
        """(R, C, H, W), the image of each row."""
        return self.images[self.image_of_row]

    @property
    def has_references(self) -> bool:
        """Whether each row has a second image."""
        return self._references is not None

    @property
    def references(self) -> Tensor:
        """(R, C, H, W), the second image of each row. Raises NotExplainable naming the field `reference`."""
        if self._references is None:
            words = "a second image is needed, which the method sets the first one against"
            raise NotExplainable.about("reference", words)
        return self._references

    def graphs_of(self, rows: Sequence[int]) -> list[tuple[GraphExcerpt, ...]] | None:
        """The causal graphs of some rows, whatever their targets; None where there are none."""
        return None if self._graphs is None else [self._graphs[row] for row in rows]

    def graph(self, row: int) -> GraphExcerpt:
        """The causal graph of a row's target. Raises NotExplainable naming the field `graph` or `target`."""
        if self._graphs is None:
            words = "a causal graph of the class is needed, made of many images of it"
            raise NotExplainable.about("graph", words)
        known = {graph.target: graph for graph in self._graphs[row]}
        target = int(self.targets[row])
        if target not in known:
            names = ", ".join(_named(graph) for graph in known.values()) or "none"
            words = f"class {target} has no causal graph here; those that have one: {names}"
            raise NotExplainable.about("target", words)
        return known[target]

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

    def generators(self) -> list[torch.Generator]:
        """For each of `images` a fresh source of noise, the one that `generator` gives for its rows."""
        return [torch.Generator().manual_seed(seed) for seed in self._shown.seeds]

    def generator(self, row: int) -> torch.Generator:
        """A fresh source of noise for a row, on the CPU so that every device sees the same; by seed alone."""
        return torch.Generator().manual_seed(self.seeds[row])

    @property
    def _device(self) -> torch.device:
        return self._shared.images.device


def _named(graph: GraphExcerpt) -> str:
    return f"{graph.target} ({graph.label})" if graph.label else str(graph.target)

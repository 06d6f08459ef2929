"""What other models say of the rows of a group: shown the same pictures in their own way, asked as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from jobs.catalogue import ModelCard, Need
from jobs.errors import NotExplainable, OutOfMemory
from jobs.job import ImageRef, ModelRef, Opened
from jobs.result import Box
from workers.declare import Method, Params
from workers.library import Library
from workers.models.intake import Prepared
from workers.models.repository import Model
from workers.probe import Circumstances, Probe
from workers.probe.opinions import Opinion
from workers.probe.passes import Pair, Pass
from workers.tasks import recording_for
from workers.tensors.laying import laid_upon

MakePass = Callable[..., Pass]  # with a recording, if any


@dataclass(frozen=True)
class Subject:
    """A row: a job with its pixels, the target, and the part of the image that its map covers."""

    opened: Opened
    target: int
    box: Box

    @property
    def pair(self) -> tuple[str, int]:
        """The image by its digest, and the target."""
        return self.opened.job.image.digest, self.target


@dataclass(frozen=True)
class OtherModels:
    """The models that a worker holds beside that of a group, whose maps are of `size` (H, W)."""

    library: Library
    own: ModelCard
    # Any: each method has a class of parameters of its own, and `params` is of this method's.
    method: Method[Any]
    params: Params
    subjects: Sequence[Subject]
    size: tuple[int, int]
    chunk_rows: int

    def opinions(self, rows: Sequence[int], key: str, circumstances: Circumstances) -> list[Opinion]:
        """What the model of a key says of some rows.

        Raises JobFailed where the model cannot be had, has other classes or does not fit into memory. For a
        row that does not fit alone another model is let go, once.
        """
        circumstances.checkpoint(0.0)
        model = self.library.named(key, self._repaired(), self.own.ref)
        if model.card.labels != self.own.labels:
            raise NotExplainable(f"{key} has other classes than {self.own.ref.own_key}")
        ask = partial(one_by_one, partial(self._hear, model, circumstances), rows)
        said = self.library.within_memory(ask)
        if not isinstance(said, OutOfMemory):
            return said
        if len(rows) > 1 or not self.library.let_another_go(self.own.ref, model.card.ref):
            raise said
        again = self.library.within_memory(ask)
        if isinstance(again, OutOfMemory):
            raise again
        return again

    def _repaired(self) -> Iterator[ModelRef]:
        """Those that metrics of the rows name, which no worker holds unless a job brings them."""
        for one in self.subjects:
            for metric in one.opened.job.metrics:
                yield from metric.repaired

    def _hear(self, model: Model, circumstances: Circumstances, rows: Sequence[int]) -> list[Opinion]:
        """What a model says of some rows: each image is prepared and goes through its network once."""
        chosen = [self.subjects[row] for row in rows]
        distinct = {one.pair[0]: one.opened for one in chosen}
        prepared = {digest: _prepared(model, opened, "image") for digest, opened in distinct.items()}
        places = {digest: place for place, digest in enumerate(prepared)}
        references = [
            _prepared(model, one.opened, "reference").tensor for one in chosen if _has_reference(one)
        ]
        make = partial(
            Pass,
            model.network,
            _stacked([one.tensor for one in prepared.values()], self.library.device),
            default_layer=model.default_layer,
            black=model.intake.black,
            white=model.intake.white,
            patches=model.patches,
        )
        said = hear(
            make,
            [(places[digest], target) for digest, target in (one.pair for one in chosen)],
            self.method,
            self.params,
            classes=len(self.own.labels),
            seeds=[one.opened.job.seed for one in chosen],
            references=_stacked(references, self.library.device) if references else None,
            chunk_rows=self.chunk_rows,
            circumstances=circumstances,
        )
        return [
            self._laid(opinion, prepared[one.pair[0]].box, one.box)
            for opinion, one in zip(said, chosen, strict=True)
        ]

    def _laid(self, opinion: Opinion, box: Box, onto: Box) -> Opinion:
        if opinion.map is None:
            return opinion
        laid, seen = laid_upon(opinion.map, box, self.size, onto)
        return replace(opinion, map=laid, seen=seen)


def hear(
    make: MakePass,
    rows: Sequence[Pair],
    method: Method[Any],  # Any: each has a class of parameters of its own
    params: Params,
    *,
    classes: int,
    seeds: Sequence[int],
    references: Tensor | None,
    chunk_rows: int,
    circumstances: Circumstances,
) -> list[Opinion]:
    """What a network says of rows, each an image of the passes that are made with one of its `classes`.

    Maps are (h, w), at the network's input. Where the method refuses several rows this raises NotExplainable;
    what it refuses of one alone stands in the opinion.
    """
    images, targets = zip(*rows, strict=True)
    plain = make()
    try:
        if Need.GRAPH in method.needs:
            raise NotExplainable("the causal graphs at hand are of the weights of another network")
        shared = make(recording_for(method, params, plain))
        shared.expect(rows)
        said = _scores(shared, rows, classes)
        probe = Probe(
            shared,
            images,
            targets,
            seeds=seeds,
            chunk_rows=chunk_rows,
            circumstances=circumstances,
            references=references,
        )
        maps = method.explain(probe, params).maps.detach()
    except NotExplainable as error:
        if len(rows) > 1:
            raise
        return [replace(one, refusal=error.detail) for one in _scores(plain, rows, classes)]
    return [
        replace(one, map=made, seen=torch.ones_like(made, dtype=torch.bool))
        for one, made in zip(said, maps, strict=True)
    ]


def one_by_one(hear_some: Callable[[Sequence[int]], list[Opinion]], rows: Sequence[int]) -> list[Opinion]:
    """What is said of all rows together, or, if that is refused, of each alone."""
    try:
        return hear_some(rows)
    except NotExplainable as error:
        if len(rows) == 1:
            return [Opinion(refusal=error.detail)]
    return [one for row in rows for one in one_by_one(hear_some, [row])]


def _scores(shared: Pass, rows: Sequence[Pair], classes: int) -> list[Opinion]:
    """Raises NotExplainable where the network has other classes, or no numbers."""
    logits = shared.logits
    if logits.shape[1] != classes:
        raise NotExplainable(f"it tells {logits.shape[1]} classes apart, and not {classes}")
    if not logits.isfinite().all():
        raise NotExplainable("its answer to this image is not finite")
    probabilities, best = logits.softmax(dim=1).tolist(), logits.amax(dim=1, keepdim=True)
    leads = (logits == best).tolist()
    return [Opinion(probabilities[image][target], leads[image][target]) for image, target in rows]


def _has_reference(one: Subject) -> bool:
    return one.opened.job.reference is not None


def _prepared(model: Model, opened: Opened, field: str) -> Prepared:
    """A picture as the model wants it."""
    pixels = {"image": opened.pixels, "reference": opened.reference}[field]
    picture: ImageRef = opened.job.pictures[field]
    return model.intake.prepare(pixels or b"", picture, field=field)


def _stacked(tensors: Sequence[Tensor], device: str) -> Tensor:
    return torch.stack(list(tensors)).to(device)

"""One batch of jobs on one model: prepared, passed through the network once, and explained group by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from jobs.catalogue import Need
from jobs.errors import JobFailed, NotExplainable
from jobs.job import ImageRef, Opened
from jobs.result import Box, Draft, Maps, TargetResult
from jobs.trust import TargetTrust
from workers.attempts import attempt
from workers.declare import Method, Relevance
from workers.findings import Finding, Rows
from workers.library import Library
from workers.measuring.measurements import Judged, measurements
from workers.models.intake import Prepared, PreparedMask
from workers.models.repository import Model
from workers.onlooker import Onlooker
from workers.opinions import OtherModels, Subject
from workers.parts import describe_parts
from workers.probe import Circumstances, Probe
from workers.probe.layers import layers_of
from workers.probe.passes import Pass
from workers.rankings import Ranking, rank_answers
from workers.tasks import Task, grouped, jurors_of, make_task, recording_of, share_of_maps

GRADIENTS = frozenset({Need.LAYER_GRADIENTS, Need.INPUT_GRADIENTS})


@dataclass(frozen=True)
class Explained:
    """A job with what was found: its classes by rank, its targets in words, and the arrays by name."""

    ranking: Ranking
    targets: tuple[TargetResult, ...]
    trusts: tuple[TargetTrust, ...]
    maps: Maps
    # Any: each step has words of its own.
    preprocessing: tuple[dict[str, Any], ...]


Ended = Explained | JobFailed


class Run:
    """The jobs of one batch by their place in it, and how each of them ended."""

    def __init__(
        self,
        model: Model,
        batch: Sequence[Opened],
        *,
        methods: Mapping[str, Method[Any]],  # Any: each has parameters of its own
        library: Library,
        chunk_rows: int,
    ) -> None:
        self._model, self._batch = model, batch
        self._methods, self._library, self._chunk_rows = methods, library, chunk_rows
        self._device = library.device
        self._prepared: dict[str, Prepared] = {}
        self._references: dict[str, Prepared] = {}
        self._masks: dict[str, PreparedMask] = {}
        self._rankings: list[Ranking] = []
        self._ended: dict[int, Ended] = {}

    def explain(self, onlooker: Onlooker) -> list[Ended]:
        """How each job ended, in the order of the batch."""
        self._prepare()
        if self._prepared:
            every = self._places_left()
            failure = attempt(lambda: self._explain_prepared(onlooker))
            if isinstance(failure, JobFailed):
                self._ended = {**dict.fromkeys(every, failure), **self._ended}
        return [self._ended[place] for place in range(len(self._batch))]

    def _prepare(self) -> None:
        """Each distinct image, reference and mask once; only the images take part in the pass."""
        for place, one in enumerate(self._batch):
            failure = attempt(partial(self._prepare_one, one))
            if isinstance(failure, JobFailed):
                self._ended[place] = failure

    def _prepare_one(self, one: Opened) -> None:
        if one.job.reference is not None and one.reference is not None:
            self._intake(self._references, one.reference, one.job.reference, "reference")
        if one.job.mask is not None and one.mask is not None and one.job.mask.digest not in self._masks:
            self._masks[one.job.mask.digest] = self._model.intake.prepare_mask(one.mask, one.job.mask)
        self._intake(self._prepared, one.pixels, one.job.image, "image")

    def _intake(self, kept: dict[str, Prepared], pixels: bytes, image: ImageRef, field: str) -> None:
        if image.digest not in kept:
            kept[image.digest] = self._model.intake.prepare(pixels, image, field=field)

    def _explain_prepared(self, onlooker: Onlooker) -> None:
        images = torch.stack([prepared.tensor for prepared in self._prepared.values()]).to(self._device)
        tasks = self._tasks(images)
        if not tasks:
            return
        intake = self._model.intake
        shared = Pass(
            self._model.network,
            images,
            recording_of(tasks),
            default_layer=self._model.default_layer,
            black=intake.black,
            white=intake.white,
            patches=self._model.patches,
        )
        self._rankings = rank_answers(shared.logits, self._model.card.labels)
        shared.expect(
            [
                (task.image, target)
                for task in tasks
                if task.method.needs & GRADIENTS and self._rankings[task.image].is_finite()
                for target in self._targets(task)
            ]
        )
        groups = grouped(tasks)
        for number, group in enumerate(groups):
            self._explain_group(shared, group, onlooker.turn(number, len(groups)))

    def _tasks(self, images: torch.Tensor) -> list[Task]:
        """The jobs that can be computed; the others have ended."""
        position = {digest: place for place, digest in enumerate(self._prepared)}
        make = partial(
            make_task,
            methods=self._methods,
            layers=layers_of(self._model.network, images),
            default_layer=self._model.default_layer,
            classes=len(self._model.card.labels),
        )
        made = []
        for place in self._places_left():
            job = self._batch[place].job
            task = attempt(partial(make, place, job, position[job.image.digest]))
            if isinstance(task, Task):
                made.append(task)
            else:
                self._ended[place] = task
        return made

    def _explain_group(self, shared: Pass, group: list[Task], onlooker: Onlooker) -> None:
        """Tasks of one method and one set of parameters; when they fail together, each is tried alone."""
        explained = attempt(lambda: self._findings(shared, group, onlooker))
        if not isinstance(explained, JobFailed):
            self._ended.update(explained)
        elif len(group) == 1:
            self._ended[group[0].place] = explained
        else:
            for task in group:
                self._explain_group(shared, [task], onlooker)

    def _findings(self, shared: Pass, group: list[Task], onlooker: Onlooker) -> dict[int, Explained]:
        rows = [(task, target) for task in group for target in self._targets(task)]
        described = Rows(
            rows, [self._box(task) for task, _ in rows], [self._rankings[task.image] for task, _ in rows]
        )
        circumstances, share = self._circumstances(described, onlooker), share_of_maps(group)
        probe = Probe(
            shared,
            [task.image for task, _ in rows],
            [target for _, target in rows],
            seeds=[task.job.seed for task, _ in rows],
            chunk_rows=self._chunk_rows,
            circumstances=circumstances.part(0, share),
            references=self._references_of([task for task, _ in rows]),
            graphs=[task.job.graphs for task, _ in rows] if Need.GRAPH in group[0].method.needs else None,
        )
        explainer = group[0].explainer
        relevance = explainer.explain(probe)
        black, white = (bound[probe.image_of_row] for bound in (probe.black, probe.white))
        found = described.findings(relevance, describe_parts(relevance, black, white))
        pairs = [(task.image, target) for task, target in rows]
        masks = [self._masks[mask.digest] if (mask := task.job.mask) else None for task, _ in rows]
        jurors = jurors_of(group[0].method, self._methods, shared)
        opinions = self._other_models(described).opinions
        maps = Judged(shared, pairs, probe, relevance, explainer, self._chunk_rows, masks, jurors, opinions)
        measured = measurements(maps, [task.metrics for task, _ in rows], circumstances.part(share, 1))
        described.judge(found, measured)
        return {task.place: self._explained(task, found[task.place]) for task in group}

    def _other_models(self, rows: Rows) -> OtherModels:
        """Those of the worker, to be asked about the rows of a group."""
        subjects = [
            Subject(self._batch[task.place], target, box)
            for (task, target), box in zip(rows.rows, rows.boxes, strict=True)
        ]
        (task, _), card = rows.rows[0], self._model.card
        size = card.input.height, card.input.width
        return OtherModels(self._library, card, task.method, task.params, subjects, size, self._chunk_rows)

    def _circumstances(self, rows: Rows, onlooker: Onlooker) -> Circumstances:
        def publish(draft: Callable[[], Relevance]) -> None:
            onlooker.publish(lambda: self._drafts(rows, draft))

        return Circumstances(onlooker.checkpoint, publish, onlooker.clock())

    def _drafts(self, rows: Rows, draft: Callable[[], Relevance]) -> list[tuple[Draft, Maps]]:
        """Of each job of a group; none when they cannot be made, for nothing depends on them."""
        found = attempt(lambda: rows.findings(draft()))
        if isinstance(found, JobFailed):
            return []
        return [
            (Draft(id=self._batch[place].job.id, targets=tuple(finding.targets)), finding.maps)
            for place, finding in found.items()
        ]

    def _references_of(self, tasks: Sequence[Task]) -> torch.Tensor | None:
        """(R, C, H, W), where the method of the tasks needs one for each of them."""
        digests = [task.job.reference.digest for task in tasks if task.job.reference is not None]
        if not digests:
            return None
        return torch.stack([self._references[digest].tensor for digest in digests]).to(self._device)

    def _targets(self, task: Task) -> tuple[int, ...]:
        """The classes asked for, or the predicted one."""
        ranking = self._rankings[task.image]
        if not ranking.is_finite():
            raise NotExplainable("the network's answer to this image is not finite")
        return tuple(dict.fromkeys(task.job.targets)) or (int(ranking.order[0]),)

    def _explained(self, task: Task, found: Finding) -> Explained:
        steps = (*task.job.image.steps, *self._prepared[task.job.image.digest].steps)
        ranking = self._rankings[task.image]
        return Explained(ranking, tuple(found.targets), tuple(found.trusts), found.maps, steps)

    def _box(self, task: Task) -> Box:
        return self._prepared[task.job.image.digest].box

    def _places_left(self) -> list[int]:
        return [place for place in range(len(self._batch)) if place not in self._ended]

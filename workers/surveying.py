"""One survey on one model: its images are prepared one after the other, and looked at together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import torch
from pydantic import BaseModel
from torch import Tensor

from jobs.errors import JobFailed, NotExplainable, OutOfMemory
from jobs.job import MethodRef, ModelRef, Opened
from workers.attempts import attempt
from workers.gathering import Gathering, Survey
from workers.library import Library
from workers.models.repository import Model
from workers.onlooker import Onlooker
from workers.probe import Circumstances
from workers.tasks import checked_params

PREPARED = 0.1  # of the progress is shown when the images are prepared
MAX_FINDINGS_BYTES = 32 * 2**20  # half of what a frame may hold beside its blobs

T = TypeVar("T")
Findings = Mapping[str, Any]  # Any: each survey has words of its own


class Surveyor:
    """Answers surveys on one device, each alone. What passes through is what passes through a `Runner`."""

    def __init__(self, library: Library, surveys: Mapping[str, Survey[Any]], chunk_rows: int) -> None:
        self._library, self._surveys, self._chunk_rows = library, surveys, chunk_rows

    def survey(self, model: Model, opened: Opened, onlooker: Onlooker) -> Findings | JobFailed:
        """What the survey of a job found on its model, in words of JSON, or why it found nothing.

        What is wrong with an image names it as `survey.<place>`.
        """
        asked = attempt(lambda: self._ask(opened.job.method))
        if isinstance(asked, JobFailed):
            return asked
        survey, question = asked
        steps = onlooker.turn(0, 1)  # what begins again because memory ran out does not take progress back
        progress = Circumstances(steps.checkpoint)
        ref, gather = opened.job.model, partial(self._gather, model, opened, progress.part(0, PREPARED))
        images = self._within_memory(ref, 1, lambda _: gather())
        if isinstance(images, JobFailed):
            return images

        def look(chunk_rows: int) -> Findings:
            checkpoint, is_late = progress.part(PREPARED, 1).checkpoint, steps.clock()
            seen = Gathering(model.network, images, chunk_rows, checkpoint, is_late)
            return _in_words(survey.look(seen, question))

        return self._within_memory(ref, self._chunk_rows, look)

    def _ask(self, ref: MethodRef) -> tuple[Survey[Any], BaseModel]:
        survey = self._surveys.get(ref.name)
        if survey is None or survey.version != ref.version:
            message = f"this worker has no survey {ref.name!r} of version {ref.version}"
            raise NotExplainable.about("method", message)
        return survey, checked_params(survey.params, ref)

    def _gather(self, model: Model, opened: Opened, progress: Circumstances) -> Tensor:
        """(N, C, H, W) on the device, in the dtype of the network."""
        table, count = model.intake.table, len(opened.survey)
        shape = (count, table.channels, *table.size)
        images = torch.empty(shape, device=self._library.device, dtype=getattr(torch, model.dtype))
        for place, (pixels, image) in enumerate(zip(opened.survey, opened.job.survey, strict=True)):
            progress.checkpoint(place / count)
            images[place] = model.intake.prepare(pixels, image, field=f"survey.{place}").tensor
        return images

    def _within_memory(self, ref: ModelRef, chunk_rows: int, work: Callable[[int], T]) -> T | JobFailed:
        """What comes of some work with chunks that are halved until they fit.

        Where not even one row does, another model is let go, once.
        """
        let_go = False
        while True:
            ended = self._library.within_memory(partial(attempt, partial(work, chunk_rows)))
            if not isinstance(ended, OutOfMemory):
                return ended
            if chunk_rows > 1:
                chunk_rows //= 2
            elif not let_go and self._library.let_another_go(ref):
                let_go = True
            else:
                return ended


def _in_words(found: BaseModel) -> Findings:
    """Raises ValueError for a number that is not finite, NotExplainable for more than can be kept."""
    words = found.model_dump(mode="json")
    n_bytes = len(json.dumps(words, allow_nan=False))
    if n_bytes > MAX_FINDINGS_BYTES:
        raise NotExplainable(f"what was found takes {n_bytes} bytes; {MAX_FINDINGS_BYTES} can be kept")
    return words

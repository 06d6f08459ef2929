"""Asks workers for surveys: jobs that look at many images of one model, and answer in words of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from pydantic import ValidationError

from app.analyses.work import MOST_ASKED, Work, patiently
from jobs.causal import (
    Cut,
    Effect,
    Layer,
    LayerAnswer,
    LayerQuestion,
    LayerShape,
    MaskingAnswer,
    MaskingQuestion,
    Paths,
    Skeleton,
    WeightCut,
)
from jobs.errors import InternalError, JobFailed, Unreadable
from jobs.fingerprint import named_job
from jobs.job import ImageRef, Job, Message, MethodRef, ModelRef, State
from jobs.result import Result

# A survey ends early when it is late, however much there is to do: beyond this its price says nothing.
MOST_COST = 20_000.0  # forward passes
MOST_MASKS = 64  # of one survey
SKELETON, LAYER, MASKING = "causal-skeleton", "causal-layer", "masked-predictions"

A = TypeVar("A", bound=Message)
Mask = tuple[Cut, ...]


class Nothing(Message):
    """The question of a survey that needs none."""


@dataclass(frozen=True)
class Found(Generic[A]):
    """What a survey has answered, by which job, and the seconds that the device took."""

    answer: A
    job: Job
    seconds: float


class FoundLayer(Message):
    """A layer of a graph, with what it took: forward passes of one image, and seconds of the device."""

    layer: Layer
    forwards: float = 0.0
    seconds: float = 0.0


class FoundMask(Message):
    """What the network predicts for each image while one set of cuts blocks paths, and what that zeroes."""

    predicted: tuple[int, ...]
    weights: tuple[WeightCut, ...] = ()


@dataclass(frozen=True)
class Surveyor:
    """Has surveys of some images of a model made. Every method raises `JobFailed`, and like `Work.ended`.

    Once an answer is kept as a part, nothing is left of its job: nobody else could see or erase it, and it
    would keep a picture that its owner may want to erase.
    """

    work: Work
    model: ModelRef
    images: tuple[ImageRef, ...]

    async def skeleton(self, parts: Callable[[Skeleton], int | None]) -> Skeleton:
        """The layers of the model, which are a part, and may say how many there are.

        One image is enough to see them.
        """
        kept = await self.work.part(SKELETON)
        if kept is not None:
            return Skeleton.model_validate_json(kept)
        found = await self._ask(SKELETON, self.images[:1], Nothing(), Skeleton, 1.0)
        content = found.answer.model_dump_json().encode()
        await self.work.note(SKELETON, content, found.job.id, parts=parts(found.answer))
        await self._forget(found.job)
        return found.answer

    async def layer(self, part: str, shape: LayerShape, question: LayerQuestion) -> FoundLayer:
        """A layer of a graph, which is a part; an answer that ended early is asked to go on."""
        kept = await self.work.part(part)
        if kept is not None:
            return FoundLayer.model_validate_json(kept)
        known: tuple[Effect, ...] = ()
        forwards = seconds = 0.0
        jobs: list[Job] = []
        while True:
            asked = question.model_copy(update={"known": known})
            cost = len(self.images) * (1 + (shape.nodes - len(known)) * shape.share)
            found = await self._ask(LAYER, self.images, asked, LayerAnswer, cost)
            forwards, seconds = forwards + found.answer.forwards, seconds + found.seconds
            jobs.append(found.job)
            if found.answer.layer is not None:
                break
            if len(found.answer.effects) <= len(known):
                raise InternalError(f"A survey of {shape.name} was late before it came to its next node.")
            known = found.answer.effects
        layer = FoundLayer(layer=found.answer.layer, forwards=forwards, seconds=seconds)
        await self.work.note(part, layer.model_dump_json().encode(), found.job.id)
        await self._forget(*jobs)
        return layer

    async def masked(self, masks: Sequence[Mask], paths: Paths) -> list[FoundMask]:
        """What is predicted behind each mask, which is a part by its place."""
        known = await self.work.known()
        missing = [place for place in range(len(masks)) if str(place) not in known]
        while missing:
            asked = missing[:MOST_MASKS]
            question = MaskingQuestion(masks=tuple(masks[place] for place in asked), paths=paths)
            cost = float(len(self.images) * len(asked))
            found = await self._ask(MASKING, self.images, question, MaskingAnswer, cost)
            if not found.answer.predicted:
                raise InternalError("A survey was late before it came to its first mask.")
            for place, content in zip(asked, _each(found.answer), strict=False):
                await self.work.note(str(place), content.model_dump_json().encode(), found.job.id)
            await self._forget(found.job)
            missing = missing[len(found.answer.predicted) :]
        contents = [await self.work.part(str(place)) for place in range(len(masks))]
        return [FoundMask.model_validate_json(content) for content in contents if content is not None]

    async def _ask(
        self, name: str, images: tuple[ImageRef, ...], question: Message, kind: type[A], cost: float
    ) -> Found[A]:
        job = named_job(
            self.work.tools.secret,
            tenant=self.work.analysis.tenant,
            model=self.model,
            method=MethodRef(name=name, version=1, params=question.model_dump(mode="json")),
            image=images[0],
            survey=images,
        )
        result = await self._result(job, min(cost, MOST_COST))
        try:
            answer = kind.model_validate(result.findings)
        except ValidationError:
            raise Unreadable("A survey was answered by another version of the service.") from None
        return Found(answer, job, result.timings.compute_s)

    async def _result(self, job: Job, cost: float) -> Result:
        """Another analysis may have asked for the same, and have forgotten it before this one saw it."""
        for _ in range(MOST_ASKED):
            record = await self.work.ended(job, cost)
            if record is None or record.state is State.CANCELLED:
                break
            if record.failure is not None:
                raise record.failure.error()
            result = await self.work.result(job)
            if result is not None:
                return result
        raise JobFailed("A survey of the analysis was cancelled or erased again and again.")

    async def _forget(self, *jobs: Job) -> None:
        for job in jobs:
            await patiently(partial(self.work.tools.queue.erase, job.tenant, job.id))


def _each(answer: MaskingAnswer) -> list[FoundMask]:
    weights = answer.weights or ((),) * len(answer.predicted)
    return [
        FoundMask(predicted=predicted, weights=zeroed)
        for predicted, zeroed in zip(answer.predicted, weights, strict=True)
    ]

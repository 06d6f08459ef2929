"""Asks workers for surveys: jobs that look at many images of one model, and answer in words of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import ValidationError

from app.analyses.work import MOST_ASKED, Work
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
    SkeletonQuestion,
)
from jobs.errors import ImageGone, InternalError, JobFailed, Unreadable
from jobs.fingerprint import named_job
from jobs.job import ImageRef, Job, Message, MethodRef, ModelRef
from jobs.repair import WeightCut
from jobs.result import Result

# A survey ends early when it is late, however much there is to do: beyond this its price says nothing.
MOST_COST = 20_000.0  # forward passes
MOST_MASKS = 64  # of one survey
SKELETON, LAYER, MASKING = "causal-skeleton", "causal-layer", "masked-predictions"

A = TypeVar("A", bound=Message)
Mask = tuple[Cut, ...]


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


class Vanished(Exception):
    """A survey was cancelled or erased before its answer was seen."""


@dataclass
class Surveyor:
    """Has surveys of some images of a model made. Every method raises `JobFailed`, and like `Work.ended`.

    Answers are kept as parts. When the one after it is kept, nothing is left of a survey's job: nobody could
    see or erase it, and it would keep a picture that its owner may want to erase. Who held the analysis
    before, and is frozen or slow, may have kept a part and erased its jobs while they are waited for.
    """

    work: Work
    model: ModelRef
    images: tuple[ImageRef, ...]
    _answered: list[Job] = field(default_factory=list)

    async def skeleton(self, parts: Callable[[Skeleton], int | None]) -> Skeleton:
        """The layers of the model, which are a part, and may say how many there are.

        One image is enough to see them.
        """

        async def find() -> Skeleton:
            found = await self._ask(
                SKELETON, self.images[:1], SkeletonQuestion(), Skeleton, cost=1.0, parts=[SKELETON]
            )
            await self._keep(SKELETON, found.answer, [found.job], parts(found.answer))
            return found.answer

        return await self._once(SKELETON, Skeleton, find)

    async def layer(self, part: str, shape: LayerShape, question: LayerQuestion) -> FoundLayer:
        """A layer of a graph, which is a part; an answer that ended early is asked to go on."""
        return await self._once(part, FoundLayer, lambda: self._layer(part, shape, question))

    async def masked(self, masks: Sequence[Mask], paths: Paths) -> list[FoundMask]:
        """What is predicted behind each mask, which is a part by its place."""
        vanished = 0
        while missing := await self._missing(len(masks)):
            try:
                await self._mask(masks, missing[:MOST_MASKS], paths)
            except Vanished:
                vanished += 1
                if vanished == MOST_ASKED:
                    raise _again_and_again() from None
        contents = [await self.work.part(str(place)) for place in range(len(masks))]
        return [FoundMask.model_validate_json(content) for content in contents if content is not None]

    async def _once(self, part: str, kind: type[A], find: Callable[[], Awaitable[A]]) -> A:
        """What came of a part: as it was kept, else as it is found."""
        for _ in range(MOST_ASKED):
            kept = await self.work.part(part)
            if kept is not None:
                return kind.model_validate_json(kept)
            with suppress(Vanished):
                return await find()
        raise _again_and_again()

    async def _layer(self, part: str, shape: LayerShape, question: LayerQuestion) -> FoundLayer:
        known: tuple[Effect, ...] = ()
        forwards = seconds = 0.0
        jobs: list[Job] = []
        while True:
            asked = question.model_copy(update={"known": known})
            cost = len(self.images) * (1 + (shape.nodes - len(known)) * shape.share)
            found = await self._ask(LAYER, self.images, asked, LayerAnswer, cost=cost, parts=[part])
            forwards, seconds = forwards + found.answer.forwards, seconds + found.seconds
            jobs.append(found.job)
            if found.answer.layer is not None:
                break
            if len(found.answer.effects) <= len(known):
                raise InternalError(f"A survey of {shape.name} was late before it came to its next node.")
            known = found.answer.effects
        layer = FoundLayer(layer=found.answer.layer, forwards=forwards, seconds=seconds)
        await self._keep(part, layer, jobs)
        return layer

    async def _mask(self, masks: Sequence[Mask], places: Sequence[int], paths: Paths) -> None:
        """Ask for some masks; those that there was time for are kept."""
        question = MaskingQuestion(masks=tuple(masks[place] for place in places), paths=paths)
        cost = float(len(self.images) * len(places))
        parts = list(map(str, places))
        found = await self._ask(MASKING, self.images, question, MaskingAnswer, cost=cost, parts=parts)
        if not found.answer.predicted:
            raise InternalError("A survey was late before it came to its first mask.")
        for part, mask in zip(parts, _each(found.answer), strict=False):
            await self._keep(part, mask, [found.job])

    async def _missing(self, n_masks: int) -> list[int]:
        known = await self.work.known()
        return [place for place in range(n_masks) if str(place) not in known]

    async def _keep(self, part: str, content: Message, jobs: list[Job], parts: int | None = None) -> None:
        await self.work.note(part, content.model_dump_json().encode(), parts=parts)
        over, self._answered = [job for job in self._answered if job not in jobs], jobs
        for job in over:
            await self.work.forget(job.id)

    async def _ask(
        self,
        name: str,
        images: tuple[ImageRef, ...],
        question: Message,
        kind: type[A],
        *,
        cost: float,
        parts: Sequence[str],
    ) -> Found[A]:
        """What a survey of these parts, one after the other, has answered; raises `Vanished`, too."""
        job = named_job(
            self.work.tools.secret,
            tenant=self.work.analysis.tenant,
            model=self.model,
            method=MethodRef(name=name, version=1, params=question.model_dump(mode="json")),
            image=images[0],
            survey=images,
        )
        try:
            result = await self._result(job, min(cost, MOST_COST), parts)
        except ImageGone:
            await self.work.forget_all()  # else they would keep a picture of a set that was erased
            raise
        try:
            answer = kind.model_validate(result.findings)
        except ValidationError:
            raise Unreadable("A survey was answered by another version of the service.") from None
        return Found(answer, job, result.timings.compute_s)

    async def _result(self, job: Job, cost: float, parts: Sequence[str]) -> Result:
        def hear(share: float) -> None:
            for place, part in enumerate(parts):
                self.work.progress.reached(part, min(1.0, share * len(parts) - place))

        record = await self.work.ended(job, cost, hear, most_asked=1)
        if record is not None and record.failure is not None:
            raise record.failure.error()
        result = None if record is None else await self.work.result(job)
        if result is None:
            raise Vanished
        return result


def _again_and_again() -> JobFailed:
    return JobFailed("A survey of the analysis was cancelled or erased again and again.")


def _each(answer: MaskingAnswer) -> list[FoundMask]:
    weights = answer.weights or ((),) * len(answer.predicted)
    return [
        FoundMask(predicted=predicted, weights=zeroed)
        for predicted, zeroed in zip(answer.predicted, weights, strict=True)
    ]

"""From what a client wishes to jobs: everything is checked, and everything that is wrong is named at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from app.errors import invalid, problems_of
from app.menu import Menu
from app.requests import Fields, Submission
from app.schemas import Asked, BatchFields, ExplanationFields, Spec
from app.uploads.decoder import Decoded, Decoder
from jobs.catalogue import ModelCard
from jobs.errors import Problem, Refused
from jobs.fingerprint import image_key, job_id, pixels_digest
from jobs.job import ImageRef, Job, MethodRef

FIELDS = ("model", *Spec.model_fields)
BATCH_FIELDS = tuple(BatchFields.model_fields)
THREAD_BYTES = 1_000_000  # pixels from here on are digested off the event loop
PLACEHOLDERS: Fields = {"model": "-", "method": "-", "specs": [{}]}


@dataclass(frozen=True)
class Picture:
    """Decoded pixels, and the name under which they are kept."""

    ref: ImageRef
    pixels: bytes


@dataclass(frozen=True)
class Wish:
    """One explanation that can be computed: a known method, complete parameters, classes that exist."""

    method: MethodRef
    targets: tuple[int, ...]
    metrics: tuple[str, ...]
    seed: int


class Desk:
    """Turns submissions of clients into jobs."""

    def __init__(self, menu: Menu, decoder: Decoder, secret: bytes) -> None:
        self._menu = menu
        self._decoder = decoder
        self._secret = secret

    async def job(self, tenant: str, submission: Submission) -> tuple[Job, bytes]:
        """The job of one submission and its pixels; raises `InvalidRequest` or `Refused`."""
        problems = list(submission.problems)
        fields = _valid(ExplanationFields, submission.fields, "", problems)
        model = await self._model(fields.get("model"), problems)
        wish = self._wish(fields, model, "", problems)
        jobs, pixels = await self._jobs(tenant, submission.image, model, [wish], problems)
        return jobs[0], pixels

    async def jobs(self, tenant: str, submission: Submission) -> tuple[list[Job], bytes]:
        """The jobs of a batch in the order of its specs, and their pixels; raises like `job`."""
        problems = list(submission.problems)
        fields = _valid(BatchFields, submission.fields, "", problems)
        model = await self._model(fields.get("model"), problems)
        wishes = []
        for index, spec in enumerate(fields.get("specs", ())):
            prefix = f"specs.{index}."
            wishes.append(self._wish(_valid(Spec, spec, prefix, problems), model, prefix, problems))
        return await self._jobs(tenant, submission.image, model, wishes, problems)

    async def _model(self, model_id: str | None, problems: list[Problem]) -> ModelCard | None:
        if model_id is None:
            return None
        served = await self._menu.model(model_id)
        if served is None:
            names = ", ".join(sorted(each.card.id for each in await self._menu.models())) or "none just now"
            problems.append(Problem(field="model", message=f"is not known; there are: {names}"))
            return None
        return served.card

    def _wish(
        self, fields: Fields, model: ModelCard | None, prefix: str, problems: list[Problem]
    ) -> Wish | None:
        method = None
        if "method" in fields:
            method, wrong = self._menu.method(fields["method"], fields.get("params", {}), prefix=prefix)
            problems.extend(wrong)
        targets = _indices(fields.get("target", ()), model, prefix, problems) if model else ()
        metrics = tuple(dict.fromkeys(fields.get("metrics", ())))
        known = [card.name for card in self._menu.catalogue.metrics]
        if unknown := [name for name in metrics if name not in known]:
            there_are = ", ".join(known) or "none"
            message = f"{', '.join(unknown)} is not known; there are: {there_are}"
            problems.append(Problem(field=f"{prefix}metrics", message=message))
        return Wish(method, targets, metrics, fields.get("seed", 0)) if method else None

    async def _jobs(
        self,
        tenant: str,
        image: bytes | None,
        model: ModelCard | None,
        wishes: Sequence[Wish | None],
        problems: list[Problem],
    ) -> tuple[list[Job], bytes]:
        """Decode the image last: with other fields wrong, a bad image is one more of them."""
        picture = None
        try:
            if image is not None:
                picture = await self._picture(tenant, await self._decoder.decode(image))
        except Refused as error:
            problem = Problem(field="image", message=error.detail)
            if not problems:
                raise type(error)(error.detail, problems=(problem,)) from error
            problems.append(problem)
        if problems or picture is None or model is None:
            raise invalid(problems)
        return [self._job(tenant, model, picture, wish) for wish in wishes if wish], picture.pixels

    async def _picture(self, tenant: str, decoded: Decoded) -> Picture:
        if decoded.pixels.nbytes < THREAD_BYTES:
            return self._described(tenant, decoded)
        return await asyncio.to_thread(self._described, tenant, decoded)

    def _described(self, tenant: str, decoded: Decoded) -> Picture:
        shape, dtype = decoded.pixels.shape, decoded.pixels.dtype.name
        pixels = np.ascontiguousarray(decoded.pixels).tobytes()
        digest = pixels_digest(pixels, shape=shape, dtype=dtype)
        ref = ImageRef.model_validate(
            {
                "key": image_key(self._secret, tenant=tenant, digest=digest),
                "digest": digest,
                "height": shape[0],
                "width": shape[1],
                "channels": 3 if len(shape) == 3 else 1,
                "dtype": dtype,
                "steps": decoded.steps,
            }
        )
        return Picture(ref, pixels)

    def _job(self, tenant: str, model: ModelCard, picture: Picture, wish: Wish) -> Job:
        name = job_id(
            self._secret,
            tenant=tenant,
            image_digest=picture.ref.digest,
            model=model.ref,
            method=wish.method,
            targets=wish.targets,
            metrics=wish.metrics,
            seed=wish.seed,
        )
        return Job(
            id=name,
            tenant=tenant,
            model=model.ref,
            method=wish.method,
            image=picture.ref,
            targets=wish.targets,
            metrics=wish.metrics,
            seed=wish.seed,
        )


def _valid(kind: type[Asked], fields: Fields, prefix: str, problems: list[Problem]) -> Fields:
    """The fields that are right, as the model reads them; the others become problems."""
    try:
        return dict(kind.model_validate(fields))
    except ValidationError as error:
        problems.extend(problems_of(error, prefix=prefix))
        wrong = {each["loc"][0] for each in error.errors(include_input=False) if each["loc"]}
    right = {name: value for name, value in fields.items() if name not in wrong}
    placeholders = {name: PLACEHOLDERS[name] for name in kind.model_fields.keys() & PLACEHOLDERS.keys()}
    whole = kind.model_validate(placeholders | right)
    return {name: value for name, value in whole if name in right}


def _indices(
    targets: Sequence[int | str], model: ModelCard, prefix: str, problems: list[Problem]
) -> tuple[int, ...]:
    """Class indices of indices and labels, each once; a label wins over an index that is written as text."""
    found: list[int | None] = [_index(target, model) for target in targets]
    if unknown := [str(target) for target, index in zip(targets, found, strict=True) if index is None]:
        message = (
            f"{', '.join(unknown)} is no class of {model.id}, which has {len(model.labels)} (0 is the first)"
        )
        problems.append(Problem(field=f"{prefix}target", message=message))
    return tuple(dict.fromkeys(index for index in found if index is not None))


def _index(target: int | str, model: ModelCard) -> int | None:
    if isinstance(target, str) and target in model.labels:
        return model.labels.index(target)
    index = int(target) if isinstance(target, int) or (target.isascii() and target.isdigit()) else -1
    return index if 0 <= index < len(model.labels) else None

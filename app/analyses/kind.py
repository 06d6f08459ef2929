"""What a kind of analysis brings: its parameters, how a request is checked, its work, and its result."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from app.analyses.work import RESULT, Work
from app.requests import Fields
from app.schemas import Asked
from app.settings import ApiSettings
from jobs.analyses import Analyses, AnalysisRecord
from jobs.catalogue import ModelCard
from jobs.errors import Problem
from jobs.fingerprint import ID
from jobs.job import Message, ModelRef, State
from jobs.pictures import ImageSet, SetPicture


class Plan(Message):
    """The parameters of an analysis with everything filled in: what is asked of which weights."""

    model: ModelRef
    # Any: each kind has a model of its own.
    params: dict[str, Any]


@dataclass(frozen=True)
class SurveyLimits:
    """How much one survey may look at."""

    images: int
    pixel_bytes: int


def survey_limits(settings: ApiSettings) -> SurveyLimits:
    """Those of a deployment."""
    return SurveyLimits(images=settings.max_survey_images, pixel_bytes=settings.max_survey_bytes)


@dataclass
class Inquiry:
    """A request of a tenant while it is checked: what could be found of it, and all that is wrong."""

    tenant: str
    model: ModelCard | None
    image_set: ImageSet | None
    analyses: Analyses
    limits: SurveyLimits
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, name: str, message: str) -> None:
        """Note that a field is wrong."""
        self.problems.append(Problem(field=name, message=message))

    def check_size(self, pictures: Sequence[SetPicture]) -> None:
        """So many pictures must go into one survey."""
        n_bytes = sum(picture.image.n_bytes for picture in pictures)
        if len(pictures) > self.limits.images:
            message = f"has {len(pictures)} pictures to look at, and at most {self.limits.images} may be"
            self.wrong("image_set", message)
        if n_bytes > self.limits.pixel_bytes:
            message = f"has pictures of {n_bytes} bytes of pixels to look at, and at most"
            self.wrong("image_set", f"{message} {self.limits.pixel_bytes} may be; send smaller ones")

    async def earlier(self, analysis_id: str, kind: str, name: str) -> bytes | None:
        """The result of an analysis of this tenant, by the field that names it; None if that is wrong."""
        return await earlier_result(
            self.analyses, self.tenant, analysis_id, kind, name=name, problems=self.problems
        )


async def earlier_result(
    analyses: Analyses, tenant: str, analysis_id: str, kind: str, *, name: str, problems: list[Problem]
) -> bytes | None:
    """The result of an analysis of a tenant, by the field that names it; None where that is wrong."""
    record: AnalysisRecord | None = None
    if re.fullmatch(ID, analysis_id):
        record = await analyses.record(tenant, analysis_id)
    content: bytes | None = None
    if record is not None and record.analysis.kind == kind:
        if record.state is not State.DONE:
            problems.append(Problem(field=name, message=f"is {record.state}; it must be done"))
            return None
        [content] = await analyses.parts(analysis_id, [RESULT])
    if content is None:  # perhaps erased between the two looks
        message = f"is no analysis of yours of the kind {kind} (any more)"
        problems.append(Problem(field=name, message=message))
    return content


@dataclass(frozen=True)
class Form:
    """Another form of a result than JSON: its media type, and how it is made of the JSON."""

    media_type: str
    made: Callable[[bytes], bytes]


@dataclass(frozen=True)
class Kind:
    """A kind of analysis.

    `plan` answers what the fields of `params` ask for, with everything filled in, or None after it has noted
    what is wrong; fields that are wrong are left out of those that it gets. `work` keeps the result as JSON
    of `result` under the part `RESULT`.
    """

    name: str
    title: str
    summary: str
    reference: str
    params: type[Asked]
    result: type[BaseModel]
    plan: Callable[[Fields, Inquiry], Awaitable[Plan | None]]
    work: Callable[[Work], Awaitable[None]]
    forms: Mapping[str, Form] = field(default_factory=dict)

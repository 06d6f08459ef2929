"""One submission out of a request, whether it came as multipart, as JSON or as a raw image body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from pydantic_core import from_json
from starlette.datastructures import ImmutableMultiDict

from app.bodies import FORM_BYTES, FilePart, arriving, json_object, read_bytes, read_parts, too_large
from app.forms import FILES
from jobs.errors import Problem, UnknownFormat

MAX_PARTS = 64
LISTS = frozenset({"target", "metrics", "webhook_events"})
JSON_FIELDS = frozenset({"params", "metric_params", "specs"})

Fields = dict[str, Any]  # Any: JSON values, checked later by a model


@dataclass(frozen=True)
class BodyLimits:
    """How large one file may be, and how long a body may take."""

    image_bytes: int
    seconds: float

    @property
    def form_bytes(self) -> int:
        """As many as all files and what lies around them may have."""
        return len(FILES) * self.image_bytes + FORM_BYTES

    @property
    def json_bytes(self) -> int:
        """A file in base64 is a third longer."""
        return len(FILES) * (self.image_bytes * 4 // 3) + FORM_BYTES


@dataclass
class Submission:
    """What a client sent: files as bytes, the fields as JSON values, and what could not be read."""

    files: dict[str, bytes] = field(default_factory=dict)
    fields: Fields = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, name: str, message: str) -> None:
        """Note that a field is wrong."""
        self.problems.append(Problem(field=name, message=message))


async def read_submission(request: Request, limits: BodyLimits, known: Collection[str]) -> Submission:
    """Read the files and the `known` fields; fields may stand in the query with every kind of body.

    Raises `TooLarge`, `UnknownFormat` for a body that is none of the three kinds, `InvalidRequest` for one
    that cannot be parsed or does not arrive in time.
    """
    submission = Submission()
    async with arriving(limits.seconds):
        await _read_body(request, limits, submission, known)
    _take_texts(request.query_params, submission, known)
    if "image" not in submission.files and not any(
        problem.field == "image" for problem in submission.problems
    ):
        submission.wrong("image", "is required")
    return submission


async def _read_body(
    request: Request, limits: BodyLimits, submission: Submission, known: Collection[str]
) -> None:
    kind = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        await _read_form(request, limits, submission, known)
    elif kind == "application/json":
        _read_json(await read_bytes(request, limits.json_bytes), limits, submission, known)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        _take_file("image", await read_bytes(request, limits.image_bytes, field="image"), limits, submission)
    else:
        raise UnknownFormat(
            "Send the image as multipart/form-data, in application/json as base64, or as an image/* body.",
            problems=(Problem(field="image", message="has a content type that is not read here"),),
        )


async def _read_form(
    request: Request, limits: BodyLimits, submission: Submission, known: Collection[str]
) -> None:
    parts = await read_parts(request, limits.form_bytes, max_files=len(FILES), max_texts=MAX_PARTS)
    for name, value in parts:
        if isinstance(value, FilePart):
            _take_file(name, value.content, limits, submission)
    texts = [(name, value) for name, value in parts if isinstance(value, str)]
    _take_texts(ImmutableMultiDict(texts), submission, known)


def _read_json(body: bytes, limits: BodyLimits, submission: Submission, known: Collection[str]) -> None:
    document = json_object(body)
    files = {name: document.pop(name, None) for name in FILES}
    if len(body) - sum(len(text) for text in files.values() if isinstance(text, str)) > FORM_BYTES:
        raise too_large(FORM_BYTES, what="The fields besides the image", field="body")
    for name, text in files.items():
        if text is not None:
            _take_base64(name, text, limits, submission)
    for name in sorted(document.keys() - set(known)):
        submission.wrong(name, _no_field(known))
    submission.fields.update({name: document[name] for name in known if name in document})


def _take_base64(name: str, text: object, limits: BodyLimits, submission: Submission) -> None:
    if not isinstance(text, str):
        submission.wrong(name, "must be a string of base64")
        return
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        submission.wrong(name, "must be a string of base64")
    else:
        _take_file(name, content, limits, submission)


def _take_file(name: str, content: bytes, limits: BodyLimits, submission: Submission) -> None:
    if name not in FILES:
        submission.wrong(name, f"is not a field that takes a file; there are: {', '.join(FILES)}")
    elif name in submission.files:
        submission.wrong(name, "is given twice")
    elif len(content) > limits.image_bytes:
        raise too_large(limits.image_bytes, field=name)
    elif not content:
        submission.wrong(name, "is empty")
    else:
        submission.files[name] = content


def _take_texts(texts: ImmutableMultiDict[str, str], submission: Submission, known: Collection[str]) -> None:
    """Take fields that came as text; a field that is there already is named as given twice."""
    for name in texts:
        values = texts.getlist(name)
        if name in FILES:
            submission.wrong(name, "must be a file part of a form, with a filename, or base64 in JSON")
        elif name not in known:
            submission.wrong(name, _no_field(known))
        elif name in submission.fields or (len(values) > 1 and name not in LISTS):
            submission.wrong(name, "is given twice")
        else:
            try:
                submission.fields[name] = values if name in LISTS else _value(name, values[0])
            except ValueError as error:
                submission.wrong(name, f"must be JSON: {error}")


def _value(name: str, text: str) -> object:
    if name == "seed":
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text
    if name == "deadline":
        return _number(text)
    if name == "method":
        return text.replace(" ", "+")  # in a query a bare + reads as a space, which no name has
    return from_json(text, allow_inf_nan=False) if name in JSON_FIELDS else text


def _number(text: str) -> object:
    """The number that a text spells in JSON, or the text itself, which is then refused as no number."""
    try:
        number = from_json(text, allow_inf_nan=False)
    except ValueError:
        return text
    return number if isinstance(number, int | float) else text


def _no_field(known: Collection[str]) -> str:
    return f"is not a field of this request; there are: {', '.join((*FILES, *known))}"
